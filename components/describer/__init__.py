"""The built-in describer behind an OpenAI-compatible chat endpoint: it measures audio and says what it measured."""

"""What is said about a clip: prompts, views, the describer and the checks of a caption."""

"""Bodies of chat requests: what goes over the wire to a captioner or a verifier, in OpenAI's shape.

``top_k`` is vLLM's extension of it. The same request always has the same bytes.
"""

from collections.abc import Sequence
from typing import Any

from clsp.config.captions import SamplingSettings
from clsp.hashing import canonical_json

Message = dict[str, Any]


def caption_body(
    model: str,
    prompt: str,
    wav: str,
    sampling: SamplingSettings,
    seed: int,
    response_format: dict[str, Any] | None = None,
) -> bytes:
    """Ask ``model`` about one clip: the audio (a WAV file in base64) and then the prompt, in one user message."""
    more = {"response_format": response_format} if response_format else {}
    audio = {"data": wav, "format": "wav"}
    content: list[dict[str, Any]] = [{"type": "input_audio", "input_audio": audio}, {"type": "text", "text": prompt}]
    return _body(model, [user_message(content)], sampling, seed, more)


def prompt_body(model: str, prompt: str, sampling: SamplingSettings, seed: int) -> bytes:
    """Ask ``model`` by words alone."""
    return _body(model, [user_message(prompt)], sampling, seed, {})


def text_body(
    model: str, messages: Sequence[Message], sampling: SamplingSettings, seed: int, response_format: dict[str, Any]
) -> bytes:
    """Ask ``model`` to answer ``messages`` with JSON that follows ``response_format``."""
    return _body(model, messages, sampling, seed, {"response_format": response_format})


def user_message(content: str | list[dict[str, Any]]) -> Message:
    """A message of the asking side."""
    return {"role": "user", "content": content}


def assistant_message(content: str) -> Message:
    """A message of the answering side."""
    return {"role": "assistant", "content": content}


def _body(
    model: str, messages: Sequence[Message], sampling: SamplingSettings, seed: int, more: dict[str, Any]
) -> bytes:
    return canonical_json({"model": model, "messages": list(messages), "seed": seed, **sampling.model_dump(), **more})

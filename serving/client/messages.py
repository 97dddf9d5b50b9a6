"""What the client sends and reads: requests as JSON, answers as arrays, refusals as errors with the server's hint."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from clsp.errors import EndpointError

Vectors = NDArray[np.float32]
Sound = Path | bytes


@dataclass(frozen=True)
class Ask:
    """One call: method, path and body."""

    method: str
    path: str
    body: dict[str, Any] | None = None


def audio_part(sound: Sound) -> dict[str, Any]:
    """A sound as an ``input_audio`` part of a request; the server tells the container from the bytes."""
    data = sound if isinstance(sound, bytes) else sound.read_bytes()
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode()}}


def ask_models() -> Ask:
    """What is served."""
    return Ask("GET", "/v1/models")


def ask_embeddings(model: str, inputs: Sequence[str | Sound]) -> Ask:
    """Vectors of texts (strings) and sounds (paths or bytes)."""
    parts = [item if isinstance(item, str) else audio_part(item) for item in inputs]
    return Ask("POST", "/v1/embeddings", {"model": model, "input": parts, "encoding_format": "base64"})


def ask_similarity(model: str, texts: Sequence[str], sounds: Sequence[Sound]) -> Ask:
    """Cosines of texts and sounds."""
    clips = [audio_part(sound) for sound in sounds]
    return Ask("POST", "/v1/similarity", {"model": model, "texts": list(texts), "clips": clips})


def ask_scores(model: str, pairs: Sequence[tuple[Sound, str]]) -> Ask:
    """How well descriptions fit sounds."""
    asked = [{"clip": audio_part(sound), "text": text} for sound, text in pairs]
    return Ask("POST", "/v1/style-score", {"model": model, "pairs": asked})


def read_vectors(answer: dict[str, Any]) -> Vectors:
    """(N, D) vectors of an answer to ``ask_embeddings``."""
    return np.stack([np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in answer["data"]])


def read_matrix(answer: dict[str, Any]) -> Vectors:
    """The cosines of an answer to ``ask_similarity``."""
    return np.asarray(answer["similarity"], np.float32)


def batches(inputs: Sequence[str | Sound], size: int) -> Iterator[Sequence[str | Sound]]:
    """``inputs`` in pieces of ``size``, in order."""
    return (inputs[start : start + size] for start in range(0, len(inputs), size))


def read_answer(response: httpx.Response) -> dict[str, Any]:
    """The document of an answer; ``EndpointError`` with the server's own message and hint for a refusal."""
    if response.is_error:
        raise _explained(response)
    answer: dict[str, Any] = response.json()
    return answer


def unreachable(error: Exception) -> EndpointError:
    """Nobody answers."""
    return EndpointError(
        f"the embedding server cannot be reached ({type(error).__name__})", hint="check its URL and that it is up"
    )


def _explained(response: httpx.Response) -> EndpointError:
    try:
        told = response.json()["error"]
        return EndpointError(f"{response.status_code} {told['code']}: {told['message']}", hint=told["hint"])
    except (ValueError, KeyError, TypeError):
        return EndpointError(f"the server answered {response.status_code}", hint="check that it is an embedding server")

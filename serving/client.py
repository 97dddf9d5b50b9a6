"""A small client of the embedding server: texts and sound files in, float32 arrays out."""

import base64
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np
from numpy.typing import NDArray

from clsp.errors import EndpointError

Vectors = NDArray[np.float32]
_POLL_SECONDS = 0.1


class EmbeddingClient:
    """Talks to one server; use it as a context manager. ``timeout`` is that of one request, in seconds.

    Every method raises ``EndpointError`` with the server's own message and hint.
    """

    def __init__(
        self, url: str, *, model: str = "", timeout: float = 60.0, api_key: str = "", ca_file: str = ""
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
        self._http = httpx.Client(
            base_url=url.rstrip("/"), timeout=timeout, trust_env=False, headers=headers, verify=verify
        )
        self._model = model

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def wait_ready(self, seconds: float) -> None:
        """Return as soon as the server is ready; ``EndpointError`` after ``seconds``."""
        deadline = time.monotonic() + seconds
        while not self._is_ready():
            if time.monotonic() > deadline:
                raise EndpointError(f"the server is not ready after {seconds:g} s", hint="look at its log")
            time.sleep(_POLL_SECONDS)

    def describe(self) -> dict[str, Any]:
        """What is served: id, version, sha256, dimension."""
        described: dict[str, Any] = self._send("GET", "/v1/models")["data"][0]
        return described

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """N texts to (N, D) unit vectors."""
        return self._embed(list(texts))

    def embed_audio(self, sounds: Sequence[Path | bytes]) -> Vectors:
        """N sound files (paths or their bytes, any container the server knows) to (N, D) unit vectors."""
        return self._embed([audio_part(sound) for sound in sounds])

    def similarity(self, texts: Sequence[str], sounds: Sequence[Path | bytes]) -> Vectors:
        """Cosines, (texts, sounds)."""
        body = {"model": self._model, "texts": list(texts), "clips": [audio_part(sound) for sound in sounds]}
        return np.asarray(self._send("POST", "/v1/similarity", body)["similarity"], np.float32)

    def style_scores(self, pairs: Sequence[tuple[Path | bytes, str]]) -> list[dict[str, Any]]:
        """For each sound and description: ``cosine`` and its ``percentile`` among the version's reference set."""
        asked = [{"clip": audio_part(sound), "text": text} for sound, text in pairs]
        scores: list[dict[str, Any]] = self._send("POST", "/v1/style-score", {"model": self._model, "pairs": asked})[
            "data"
        ]
        return scores

    def _embed(self, inputs: list[Any]) -> Vectors:
        body = {"model": self._model, "input": inputs, "encoding_format": "base64"}
        rows = self._send("POST", "/v1/embeddings", body)["data"]
        return np.stack([np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in rows])

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/v2/health/ready").status_code == 200
        except httpx.TransportError:
            return False

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise EndpointError(
                f"the embedding server cannot be reached ({type(error).__name__})",
                hint="check its URL and that it is up",
            ) from error
        if response.is_error:
            raise _explained(response)
        answer: dict[str, Any] = response.json()
        return answer


def audio_part(sound: Path | bytes) -> dict[str, Any]:
    """A sound as an ``input_audio`` part of a request; the server tells the container from the bytes."""
    data = sound if isinstance(sound, bytes) else sound.read_bytes()
    return {"type": "input_audio", "input_audio": {"data": base64.b64encode(data).decode()}}


def _explained(response: httpx.Response) -> EndpointError:
    try:
        told = response.json()["error"]
        return EndpointError(f"{response.status_code} {told['code']}: {told['message']}", hint=told["hint"])
    except (ValueError, KeyError, TypeError):
        return EndpointError(f"the server answered {response.status_code}", hint="check that it is an embedding server")

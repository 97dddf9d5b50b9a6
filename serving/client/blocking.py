"""The blocking client."""

import ssl
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np

from clsp.errors import EndpointError
from serving.client import messages
from serving.client.messages import Ask, Sound, Vectors
from serving.client.retries import Outcome, Retries, Send, plan_call

_POLL_SECONDS = 0.1


class EmbeddingClient:
    """Talks to one server; use it as a context manager. ``timeout`` is that of one call, retries included, in seconds.

    Every method raises ``EndpointError`` with the server's own message and hint.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str = "",
        timeout: float = 60.0,
        api_key: str = "",
        ca_file: str = "",
        retries: Retries | None = None,
    ) -> None:
        self._http = httpx.Client(**connection(url, api_key, ca_file))
        self._model = model
        self._timeout = timeout
        self._retries = retries or Retries()

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
        """What is served, of several the first: id, version, sha256, dimension, tower."""
        described: dict[str, Any] = self._call(messages.ask_models())["data"][0]
        return described

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """N texts to (N, D) unit vectors."""
        return self._embed(texts)

    def embed_audio(self, sounds: Sequence[Sound]) -> Vectors:
        """N sound files (paths or their bytes, any container the server knows) to (N, D) unit vectors."""
        return self._embed(sounds)

    def embed_many(
        self,
        inputs: Sequence[str | Sound],
        *,
        batch: int = 32,
        parallel: int = 4,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Vectors:
        """Any number of texts (strings) and sounds to (N, D) vectors, in order, ``batch`` a call.

        ``progress`` is told how many are done with each call; files are read as their turn comes.
        """

        done = []
        pool = ThreadPoolExecutor(parallel)
        try:
            for vectors in pool.map(self._embed, messages.batches(inputs, batch)):
                progress(len(vectors))
                done.append(vectors)
        finally:
            pool.shutdown(cancel_futures=True)
        return np.concatenate(done)

    def similarity(self, texts: Sequence[str], sounds: Sequence[Sound]) -> Vectors:
        """Cosines, (texts, sounds)."""
        return messages.read_matrix(self._call(messages.ask_similarity(self._model, texts, sounds)))

    def style_scores(self, pairs: Sequence[tuple[Sound, str]]) -> list[dict[str, Any]]:
        """For each sound and description: ``cosine`` and its ``percentile`` among the version's reference set."""
        scores: list[dict[str, Any]] = self._call(messages.ask_scores(self._model, pairs))["data"]
        return scores

    def read_metrics(self) -> str:
        """The server's counters, as Prometheus reads them."""
        sent = self._send(Ask("GET", "/metrics"), self._timeout)
        if not isinstance(sent, httpx.Response):
            raise messages.unreachable(sent)
        return sent.text

    def _embed(self, inputs: Sequence[str | Sound]) -> Vectors:
        return messages.read_vectors(self._call(messages.ask_embeddings(self._model, inputs)))

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/v2/health/ready", timeout=self._timeout).status_code == 200
        except httpx.TransportError:
            return False

    def _call(self, ask: Ask) -> dict[str, Any]:
        plan = plan_call(self._retries, self._timeout)
        step = next(plan)
        try:
            while True:
                if isinstance(step, Send):
                    step = plan.send(self._send(ask, step.seconds))
                else:
                    time.sleep(step.seconds)
                    step = next(plan)
        except StopIteration as end:
            return messages.read_answer(end.value)

    def _send(self, ask: Ask, seconds: float) -> Outcome:
        headers = {"X-Request-Timeout": f"{seconds:.3f}"}
        try:
            return self._http.request(ask.method, ask.path, json=ask.body, timeout=seconds, headers=headers)
        except httpx.TransportError as error:
            return error


def connection(url: str, api_key: str, ca_file: str) -> dict[str, Any]:
    """How both clients connect: to one server, through no proxy, trusting ``ca_file`` where one is given."""
    return {
        "base_url": url.rstrip("/"),
        "trust_env": False,
        "headers": {"Authorization": f"Bearer {api_key}"} if api_key else {},
        "verify": ssl.create_default_context(cafile=ca_file) if ca_file else True,
    }

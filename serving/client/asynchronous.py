"""The async client."""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import numpy as np

from serving.client import messages
from serving.client.blocking import connection
from serving.client.messages import Ask, Sound, Vectors
from serving.client.retries import Outcome, Retries, Send, plan_call


class AsyncEmbeddingClient:
    """As ``EmbeddingClient``, for an event loop; use it as an async context manager."""

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
        self._http = httpx.AsyncClient(**connection(url, api_key, ca_file))
        self._model = model
        self._timeout = timeout
        self._retries = retries or Retries()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def describe(self) -> dict[str, Any]:
        """What is served, of several the first: id, version, sha256, dimension, tower."""
        described: dict[str, Any] = (await self._call(messages.ask_models()))["data"][0]
        return described

    async def embed_texts(self, texts: Sequence[str]) -> Vectors:
        """N texts to (N, D) unit vectors."""
        return await self._embed(texts)

    async def embed_audio(self, sounds: Sequence[Sound]) -> Vectors:
        """N sound files (paths or their bytes, any container the server knows) to (N, D) unit vectors."""
        return await self._embed(sounds)

    async def embed_many(
        self,
        inputs: Sequence[str | Sound],
        *,
        batch: int = 32,
        parallel: int = 4,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Vectors:
        """As ``EmbeddingClient.embed_many``; the first failure ends the calls that still run."""
        free = asyncio.Semaphore(parallel)

        async def embed(piece: Sequence[str | Sound]) -> Vectors:
            async with free:
                vectors = await self._embed(piece)
                progress(len(piece))
                return vectors

        tasks = [asyncio.ensure_future(embed(piece)) for piece in messages.batches(inputs, batch)]
        try:
            return np.concatenate(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    async def similarity(self, texts: Sequence[str], sounds: Sequence[Sound]) -> Vectors:
        """Cosines, (texts, sounds)."""
        ask = await asyncio.to_thread(messages.ask_similarity, self._model, texts, sounds)
        return messages.read_matrix(await self._call(ask))

    async def style_scores(self, pairs: Sequence[tuple[Sound, str]]) -> list[dict[str, Any]]:
        """For each sound and description: ``cosine`` and its ``percentile`` among the version's reference set."""
        ask = await asyncio.to_thread(messages.ask_scores, self._model, pairs)
        scores: list[dict[str, Any]] = (await self._call(ask))["data"]
        return scores

    async def _embed(self, inputs: Sequence[str | Sound]) -> Vectors:
        ask = await asyncio.to_thread(messages.ask_embeddings, self._model, inputs)  # files are read aside
        return messages.read_vectors(await self._call(ask))

    async def _call(self, ask: Ask) -> dict[str, Any]:
        plan = plan_call(self._retries, self._timeout)
        step = next(plan)
        try:
            while True:
                if isinstance(step, Send):
                    step = plan.send(await self._send(ask, step.seconds))
                else:
                    await asyncio.sleep(step.seconds)
                    step = next(plan)
        except StopIteration as end:
            return messages.read_answer(end.value)

    async def _send(self, ask: Ask, seconds: float) -> Outcome:
        headers = {"X-Request-Timeout": f"{seconds:.3f}"}
        try:
            return await self._http.request(ask.method, ask.path, json=ask.body, timeout=seconds, headers=headers)
        except httpx.TransportError as error:
            return error

"""One thread that owns the device, and the queues before it.

Items of all requests wait in two queues (speech, text) that take turns. Whenever the device is free it takes what is
there, up to a padded budget, and never waits for more; so a lone request starts at once and a busy server batches.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clsp.audio.fbank import SAMPLING_RATE
from clsp.config.serving import ServeSettings
from clsp.logs import get_logger
from clsp.model.embedding import EmbeddingModel
from serving import metrics
from serving.errors import RequestError, overloaded

log = get_logger(__name__)

Vectors = NDArray[np.float32]
Encode = Callable[[list[Any]], torch.Tensor]


@dataclass
class _Job:
    """One request's items of one kind; ``left`` counts those without a vector."""

    vectors: Vectors
    left: int
    future: asyncio.Future[Vectors]
    loop: asyncio.AbstractEventLoop

    def finish(self, error: Exception | None = None) -> None:
        """Wake the request, in its own thread, unless it has gone."""
        self.loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: Exception | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(self.vectors)
        else:
            self.future.set_exception(error)


@dataclass(frozen=True)
class _Item:
    payload: Any
    job: _Job
    position: int


@dataclass
class _Queue:
    """Items of one kind; ``budget`` bounds longest × count of a forward, ``limit`` the length that may wait."""

    name: str
    encode: Encode
    budget: int
    limit: int
    items: deque[_Item] = field(default_factory=deque)
    waiting: int = 0

    def add(self, items: Sequence[_Item], retry_after: int) -> None:
        """Append a request's items, or refuse all of them when too much waits already."""
        length = sum(len(item.payload) for item in items)
        if self.waiting and self.waiting + length > self.limit:
            metrics.REJECTED.labels(reason="overloaded").inc(len(items))
            raise overloaded(f"too much {self.name} is waiting", retry_after)
        self.items.extend(items)
        self.waiting += length

    def take(self) -> list[_Item]:
        """The next batch in order of arrival; items whose request has gone are dropped."""
        batch: list[_Item] = []
        longest = 0
        while self.items:
            item = self.items[0]
            longest = max(longest, len(item.payload))
            if batch and longest * (len(batch) + 1) > self.budget:
                break
            self.items.popleft()
            self.waiting -= len(item.payload)
            if not item.job.future.done():
                batch.append(item)
        return batch


class Engine:
    """Embeds waveforms and token ids of many requests; ``start`` it once, ``close`` it to finish what waits."""

    def __init__(self, model: EmbeddingModel, settings: ServeSettings) -> None:
        self._model = model
        self._retry_after = settings.retry_after_seconds
        self._speech = _Queue(
            "audio",
            lambda clips: model.encode_speech([torch.from_numpy(clip) for clip in clips]),
            int(settings.batch_seconds * SAMPLING_RATE),
            int(settings.max_queued_seconds * SAMPLING_RATE),
        )
        self._text = _Queue("text", model.encode_ids, settings.batch_tokens, settings.max_queued_tokens)
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="device", daemon=True)

    def start(self) -> None:
        """Start the device thread."""
        self._thread.start()

    def close(self) -> None:
        """Refuse new work, finish what waits, and stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    async def embed_speech(self, clips: Sequence[NDArray[np.float32]]) -> Vectors:
        """(N, D) vectors of 16 kHz waveforms; ``RequestError`` 429 when too much waits, 503 while closing."""
        return await self._submit(self._speech, clips)

    async def embed_ids(self, ids: Sequence[Sequence[int]]) -> Vectors:
        """(N, D) vectors of unpadded token ids; errors as ``embed_speech``."""
        return await self._submit(self._text, ids)

    async def _submit(self, queue: _Queue, payloads: Sequence[Any]) -> Vectors:
        vectors = np.zeros((len(payloads), self._model.dimension), np.float32)
        if not payloads:
            return vectors
        loop = asyncio.get_running_loop()
        job = _Job(vectors, len(payloads), loop.create_future(), loop)
        items = [_Item(payload, job, position) for position, payload in enumerate(payloads)]
        with self._changed:
            if self._closed:
                raise RequestError(503, "draining", "the server is stopping", hint="try another replica")
            queue.add(items, self._retry_after)
            self._changed.notify()
        return await job.future

    def _work(self) -> None:
        turn = (self._speech, self._text)
        while (batch := self._next(turn)) is not None:
            queue, items = batch
            turn = (self._text, self._speech) if queue is self._speech else (self._speech, self._text)
            if items:
                self._forward(queue, items)

    def _next(self, turn: tuple[_Queue, _Queue]) -> tuple[_Queue, list[_Item]] | None:
        """A batch of the first queue in ``turn`` that has one; None once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or any(queue.items for queue in turn))
            queue = next((queue for queue in turn if queue.items), None)
            metrics.QUEUED_SECONDS.set(self._speech.waiting / SAMPLING_RATE)
            return (queue, queue.take()) if queue else None

    def _forward(self, queue: _Queue, items: list[_Item]) -> None:
        lengths = [len(item.payload) for item in items]
        metrics.BATCH_FILL.labels(kind=queue.name).observe(sum(lengths) / (max(lengths) * len(lengths)))
        try:
            with metrics.FORWARD_SECONDS.labels(kind=queue.name).time():
                vectors = queue.encode([item.payload for item in items]).numpy()
        except Exception as error:
            log.exception("forward_failed", kind=queue.name, items=len(items), error=type(error).__name__)
            for item in items:
                item.job.finish(RequestError(500, "internal", "the model failed", hint="see the server's log"))
            return
        for item, vector in zip(items, vectors, strict=True):
            _deliver(item, vector)


def _deliver(item: _Item, vector: Vectors) -> None:
    item.job.vectors[item.position] = vector
    item.job.left -= 1
    if item.job.left == 0:
        item.job.finish()

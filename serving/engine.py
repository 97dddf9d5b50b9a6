"""One thread that owns the device, and the queues before it.

Items of all requests wait in two queues (speech, text) that take turns. Whenever the device is free it takes what is
there, up to a padded budget, and never waits for more; so a lone request starts at once and a busy server batches. A
request is let in only when what waits already will be done within its deadline at the rate measured so far.
"""

import asyncio
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from clsp.audio.fbank import SAMPLING_RATE
from clsp.config.serving import ServeSettings
from clsp.logs import get_logger
from clsp.model.embedding import EmbeddingModel
from serving import metrics
from serving.errors import RequestError, expired, overloaded
from serving.queues import Batching, Item, Job, Queue, Vectors

log = get_logger(__name__)


@dataclass(frozen=True)
class Asker:
    """Who asks ('' where nobody has a name) and how many seconds the answer is worth waiting for (0: the default)."""

    caller: str = ""
    seconds: float = 0.0


ANYONE = Asker()


class Engine:
    """Embeds waveforms and token ids of many requests; ``start`` it once, ``close`` it to finish what waits."""

    def __init__(self, model: EmbeddingModel, settings: ServeSettings) -> None:
        self._model = model
        self._settings = settings
        self._speech = Queue(
            "audio",
            lambda clips: model.encode_speech([torch.from_numpy(clip) for clip in clips]),
            self._batching(int(settings.batch_seconds * SAMPLING_RATE)),
        )
        self._text = Queue("text", model.encode_ids, self._batching(settings.batch_tokens))
        self._limits = {
            "audio": int(settings.max_queued_seconds * SAMPLING_RATE),
            "text": settings.max_queued_tokens,
        }
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="device", daemon=True)

    def _batching(self, budget: int) -> Batching:
        return Batching(budget, self._settings.batch_window, self._settings.batch_fill)

    def start(self) -> None:
        """Start the device thread."""
        self._thread.start()

    def close(self) -> None:
        """Refuse new work, finish what waits, and stop the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    async def embed_speech(self, clips: Sequence[NDArray[np.float32]], asker: Asker = ANYONE) -> Vectors:
        """(N, D) vectors of 16 kHz waveforms; ``RequestError`` 429 when the wait is too long, 503 while closing."""
        return await self._submit(self._speech, clips, asker)

    async def embed_ids(self, ids: Sequence[Sequence[int]], asker: Asker = ANYONE) -> Vectors:
        """(N, D) vectors of unpadded token ids; errors as ``embed_speech``."""
        return await self._submit(self._text, ids, asker)

    def admit(self, asker: Asker = ANYONE) -> None:
        """Refuse a request before any work is done for it, when what waits already takes it past its deadline."""
        with self._changed:
            self._refuse_late(asker, 0.0)

    def waiting_seconds(self) -> float:
        """Predicted seconds until everything that waits now is done."""
        return self._speech.seconds() + self._text.seconds()

    async def _submit(self, queue: Queue, payloads: Sequence[Any], asker: Asker) -> Vectors:
        vectors = np.zeros((len(payloads), self._model.dimension), np.float32)
        if not payloads:
            return vectors
        loop = asyncio.get_running_loop()
        job = Job(vectors, len(payloads), loop.create_future(), loop, time.monotonic() + self._patience(asker))
        items = [Item(payload, job, position) for position, payload in enumerate(payloads)]
        with self._changed:
            if self._closed:
                raise RequestError(503, "draining", "the server is stopping", hint="try another replica")
            self._refuse_overflow(queue, sum(map(len, payloads)))
            self._refuse_late(asker, queue.seconds(sum(map(len, payloads))) - queue.seconds())
            queue.add(items, asker.caller)
            self._changed.notify()
        return await job.future

    def _patience(self, asker: Asker) -> float:
        return min(asker.seconds or self._settings.deadline_seconds, self._settings.deadline_seconds)

    def _refuse_overflow(self, queue: Queue, length: int) -> None:
        """A bound on memory, whatever the rate: as many items as wait now, a request alone always fits."""
        if queue.waiting and queue.waiting + length > self._limits[queue.name]:
            metrics.REJECTED.labels(reason="overloaded").inc()
            raise overloaded(f"too much {queue.name} is waiting", self._settings.retry_after_seconds)

    def _refuse_late(self, asker: Asker, own_seconds: float) -> None:
        """One rule for one input and for many: what waits and what comes must be done within the deadline."""
        waiting = self.waiting_seconds()
        late = waiting + own_seconds - self._patience(asker)
        if waiting and late > 0:
            metrics.REJECTED.labels(reason="late").inc()
            raise overloaded("the answer would come too late", max(self._settings.retry_after_seconds, math.ceil(late)))

    def _work(self) -> None:
        turn = (self._speech, self._text)
        while (batch := self._next(turn)) is not None:
            queue, items = batch
            turn = (self._text, self._speech) if queue is self._speech else (self._speech, self._text)
            if items:
                self._forward(queue, items)

    def _next(self, turn: tuple[Queue, Queue]) -> tuple[Queue, list[Item]] | None:
        """A batch of the first queue in ``turn`` that has one; None once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or any(turn))
            queue = next((queue for queue in turn if queue), None)
            items, late = ([], []) if queue is None else queue.take(time.monotonic())
            metrics.QUEUED_SECONDS.set(self._speech.waiting / SAMPLING_RATE)
            metrics.PREDICTED_WAIT.set(self.waiting_seconds())
        for item in late:
            metrics.REJECTED.labels(reason="expired").inc()
            item.job.finish(expired(self._settings.retry_after_seconds))
        return None if queue is None else (queue, items)

    def _forward(self, queue: Queue, items: list[Item]) -> None:
        lengths = [len(item) for item in items]
        metrics.BATCH_FILL.labels(kind=queue.name).observe(sum(lengths) / (max(lengths) * len(lengths)))
        started = time.monotonic()
        try:
            with metrics.FORWARD_SECONDS.labels(kind=queue.name).time():
                vectors = queue.encode([item.payload for item in items]).numpy()
        except Exception as error:
            log.exception("forward_failed", kind=queue.name, items=len(items), error=type(error).__name__)
            for item in items:
                item.job.finish(RequestError(500, "internal", "the model failed", hint="see the server's log"))
            return
        with self._changed:
            queue.measure(sum(lengths), time.monotonic() - started)
        for item, vector in zip(items, vectors, strict=True):
            _deliver(item, vector)


def _deliver(item: Item, vector: Vectors) -> None:
    item.job.vectors[item.position] = vector
    item.job.left -= 1
    if item.job.left == 0:
        item.job.finish()

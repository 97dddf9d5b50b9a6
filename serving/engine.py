"""One thread that owns the device, and the queues before it.

Items of all requests wait in queues (speech and text of each version) that take turns. Whenever the device is free it
takes what is there, up to a padded budget, and never waits for more; so a lone request starts at once and a busy
server batches. A request is let in only when what waits already will be done within its deadline at the rate measured
so far.
"""

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clsp.audio.fbank import SAMPLING_RATE
from clsp.config.serving import ServeSettings
from clsp.logs import get_logger
from serving import metrics
from serving.backlog import Backlog
from serving.drift import Drift
from serving.errors import RequestError, expired, overloaded
from serving.queues import Item, Job, Queue, Vectors

log = get_logger(__name__)


@dataclass(frozen=True)
class Asker:
    """Who asks ('' where nobody has a name) and how many seconds the answer is worth waiting for (0: the default).

    ``since`` is when the request came, in the clock's seconds (0: just now).
    """

    caller: str = ""
    seconds: float = 0.0
    since: float = 0.0


ANYONE = Asker()


class Engine:
    """Embeds what waits in queues of any number of models; ``start`` it once, ``close`` it to finish what waits."""

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self.backlog = Backlog(settings.decode_workers)
        self._limits = {"audio": int(settings.max_queued_seconds * SAMPLING_RATE), "text": settings.max_queued_tokens}
        self._changed = threading.Condition()
        self._turns: deque[Queue] = deque()  # the queues that hold something
        self._busy_until = 0.0  # when the forward that runs now is expected to end
        self._drift = {kind: Drift(kind) for kind in self._limits}
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

    async def embed(
        self, queue: Queue, payloads: Sequence[Any], dimension: int, asker: Asker = ANYONE, *, admitted: bool = False
    ) -> Vectors:
        """(N, D) vectors of waveforms or token ids; ``RequestError`` 429 when the wait is too long, 503 while closing.

        What is ``admitted`` already waits however long the queue is.
        """
        vectors = np.zeros((len(payloads), dimension), np.float32)
        if not payloads:
            return vectors
        loop, deadline = asyncio.get_running_loop(), time.monotonic() + self.patience(asker)
        job = Job(vectors, len(payloads), loop.create_future(), loop, deadline, asker.caller)
        with self._changed:
            if self._closed:
                raise RequestError(503, "draining", "the server is stopping", hint="try another replica")
            if not admitted:
                self._refuse_overflow(queue, sum(map(len, payloads)))
                self._refuse_late(asker, queue.seconds(sum(map(len, payloads))) - queue.seconds())
            if not queue:
                self._turns.append(queue)
            queue.add(job, payloads)
            self._report()
            self._changed.notify()
        try:
            return await job.future
        except asyncio.CancelledError:
            self._abandon(queue, job)
            raise

    def admit(self, asker: Asker = ANYONE) -> None:
        """Refuse a request before any work is done for it, when what waits already takes it past its deadline."""
        with self._changed:
            self._refuse_late(asker, 0.0)

    def waiting_seconds(self) -> float:
        """Predicted seconds until everything that waits now is done."""
        running = max(0.0, self._busy_until - time.monotonic())
        return sum(queue.seconds() for queue in self._turns) + running + self.backlog.seconds()

    def _abandon(self, queue: Queue, job: Job) -> None:
        """Nothing is computed for a caller that has gone."""
        with self._changed:
            queue.drop(job)
            if not queue and queue in self._turns:
                self._turns.remove(queue)
            self._report()

    def patience(self, asker: Asker) -> float:
        """Seconds that are left of what the answer is worth waiting for."""
        whole = min(asker.seconds or self._settings.deadline_seconds, self._settings.deadline_seconds)
        return whole - (time.monotonic() - asker.since if asker.since else 0.0)

    def check_time(self, asker: Asker) -> None:
        """429 once the deadline of a request has passed: nothing more is done for it."""
        if self.patience(asker) <= 0:
            metrics.REJECTED.labels(reason="expired").inc()
            raise expired(self._settings.retry_after_seconds)

    def _refuse_overflow(self, queue: Queue, length: int) -> None:
        """A bound on memory, whatever the rate: as many items as wait now, a request alone always fits."""
        waiting = sum(other.waiting for other in self._turns if other.name == queue.name)
        if waiting and waiting + length > self._limits[queue.name]:
            metrics.REJECTED.labels(reason="overloaded").inc()
            raise overloaded(f"too much {queue.name} is waiting", self._settings.retry_after_seconds)

    def _refuse_late(self, asker: Asker, own_seconds: float) -> None:
        """One rule for one input and for many: what waits and what comes must be done within the deadline."""
        waiting = self.waiting_seconds()
        late = waiting + own_seconds - self._settings.admission_share * self.patience(asker)
        if waiting and late > 0:
            metrics.REJECTED.labels(reason="late").inc()
            raise overloaded("the answer would come too late", max(self._settings.retry_after_seconds, math.ceil(late)))

    def _work(self) -> None:
        while (batch := self._next()) is not None:
            queue, items = batch
            if items:
                self._forward(queue, items)

    def _next(self) -> tuple[Queue, list[Item]] | None:
        """A batch of the queue whose turn it is; None once closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._turns)
            if not self._turns:
                return None
            queue = self._turns.popleft()
            items, late = queue.take(time.monotonic())
            if queue:
                self._turns.append(queue)
            self._busy_until = time.monotonic() + (sum(map(len, items)) / queue.rate if queue.rate else 0.0)
            self._report()
        for job in late:
            metrics.REJECTED.labels(reason="expired").inc()
            job.finish(expired(self._settings.retry_after_seconds))
        return queue, items

    def _report(self) -> None:
        sound = sum(queue.waiting for queue in self._turns if queue.name == "audio")
        metrics.QUEUED_SECONDS.set(sound / SAMPLING_RATE)
        metrics.PREDICTED_WAIT.set(self.waiting_seconds())

    def _forward(self, queue: Queue, items: list[Item]) -> None:
        lengths = [len(item) for item in items]
        metrics.BATCH_FILL.labels(kind=queue.name).observe(sum(lengths) / (max(lengths) * len(lengths)))
        started = time.monotonic()
        try:
            with metrics.FORWARD_SECONDS.labels(kind=queue.name).time():
                vectors = queue.encode([item.payload for item in items]).numpy()
        except Exception as error:
            log.exception("forward_failed", kind=queue.name, items=len(items), error=type(error).__name__)
            self._forward_alone(queue, items)
            return
        with self._changed:
            elapsed = time.monotonic() - started
            queue.measure(sum(lengths), elapsed)
            self._busy_until = 0.0
        if queue.name == "audio":
            self.backlog.forwarded(len(items), elapsed)
        self._drift[queue.name].add(vectors)
        for item, vector in zip(items, vectors, strict=True):
            _deliver(item, vector)

    def _forward_alone(self, queue: Queue, items: list[Item]) -> None:
        """After a batch failed: what is wrong with one request must not be the trouble of its neighbours."""
        if len(items) == 1:
            items[0].job.finish(RequestError(500, "internal", "the model failed", hint="see the server's log"))
            return
        for item in items:
            self._forward(queue, [item])


def _deliver(item: Item, vector: Vectors) -> None:
    item.job.vectors[item.position] = vector
    item.job.left -= 1
    if item.job.left == 0:
        item.job.finish()

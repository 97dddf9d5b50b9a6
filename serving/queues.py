"""Items waiting for the device: callers take turns, neighbours in length go together, nothing waits for company.

A batch is chosen from a short window of items, one from each caller in turn, so that a caller with a thousand clips
does not hold up one with a single clip. The item whose turn it is always goes; others join it while the padded cost
keeps within the budget and padding stays small. No step looks at more than the window, however much waits.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, count, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Encode = Callable[[list[Any]], torch.Tensor]
_SMOOTHING = 0.2  # weight of the newest forward in the measured rate
_SPARE = 64  # deadlines of finished jobs that may stay before they are swept


@dataclass(eq=False)
class Job:
    """One request's items of one kind; ``left`` counts those without a vector, ``deadline`` is in loop seconds."""

    vectors: Vectors
    left: int
    future: asyncio.Future[Vectors]
    loop: asyncio.AbstractEventLoop
    deadline: float = float("inf")
    caller: str = ""
    waiting: "OrderedDict[Item, None]" = field(default_factory=OrderedDict)

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


@dataclass(frozen=True, eq=False)
class Item:
    """One clip or text of a job, and its place in it."""

    payload: Any
    job: Job
    position: int

    def __len__(self) -> int:
        return len(self.payload)


@dataclass(frozen=True)
class Batching:
    """``budget`` bounds longest × count of a forward, ``window`` the items looked at, ``fill`` the useful share.

    ``seconds`` bounds what a forward of several items is expected to take, so that nobody's turn is long in coming.
    """

    budget: int
    window: int
    fill: float
    seconds: float = float("inf")


@dataclass(eq=False)
class Queue:
    """Items of one kind, by caller in the order of their turns. ``waiting`` is their length in all."""

    name: str
    encode: Encode
    batching: Batching
    waiting: int = 0
    rate: float = 0.0
    forward_seconds: float = 0.0
    _callers: OrderedDict[str, OrderedDict[Item, None]] = field(default_factory=OrderedDict)
    _deadlines: list[tuple[float, int, Job]] = field(default_factory=list)
    _jobs: int = 0
    _order: Iterator[int] = field(default_factory=count)

    def __bool__(self) -> bool:
        return bool(self._callers)

    def add(self, job: Job, payloads: Sequence[Any]) -> None:
        """Append a request's items to those of its caller."""
        items = [Item(payload, job, position) for position, payload in enumerate(payloads)]
        job.waiting.update(dict.fromkeys(items))
        self._callers.setdefault(job.caller, OrderedDict()).update(dict.fromkeys(items))
        self.waiting += sum(map(len, items))
        self._jobs += 1
        heapq.heappush(self._deadlines, (job.deadline, next(self._order), job))
        self._sweep()

    def drop(self, job: Job) -> None:
        """Forget what still waits of a job."""
        for item in list(job.waiting):
            self._remove(item)

    def take(self, now: float) -> tuple[list[Item], list[Job]]:
        """The next batch, and jobs that a forward from now would finish too late; nothing of those is left."""
        expired = self._expire(now + self.forward_seconds)
        window = list(self._window())
        if not window:
            self.forward_seconds /= 2  # nothing ran that could show it was too long: the next request may find out
            return [], expired
        within = self.batching
        if self.rate and self.rate * within.seconds < within.budget:
            within = replace(within, budget=int(self.rate * within.seconds))
        chosen = [window[place] for place in choose_batch([len(item) for item in window], within)]
        for item in chosen:
            self._remove(item)
        if (caller := window[0].job.caller) in self._callers:
            self._callers.move_to_end(caller)
        return chosen, expired

    def seconds(self, more: int = 0) -> float:
        """Predicted seconds until all that waits, and ``more``, is done; 0 before anything was measured."""
        return (self.waiting + more) / self.rate if self.rate else 0.0

    def measure(self, length: int, seconds: float) -> None:
        """Learn from a forward over items of ``length`` in all."""
        rate = length / max(seconds, 1e-6)
        self.forward_seconds = (1 - _SMOOTHING) * self.forward_seconds + _SMOOTHING * seconds
        self.rate = rate if not self.rate else (1 - _SMOOTHING) * self.rate + _SMOOTHING * rate

    def _window(self) -> Iterator[Item]:
        """Up to a window of items, one of each caller in turn."""
        lines = [iter(items) for items in islice(self._callers.values(), self.batching.window)]
        left = self.batching.window
        while lines and left > 0:
            heads = [(line, next(line, None)) for line in lines[:left]]
            lines = [line for line, item in heads if item is not None]
            left -= len(lines)
            yield from (item for _, item in heads if item is not None)

    def _expire(self, now: float) -> list[Job]:
        expired = []
        while self._deadlines and self._deadlines[0][0] < now:
            job = heapq.heappop(self._deadlines)[2]
            if job.waiting:
                self.drop(job)
                expired.append(job)
        return expired

    def _sweep(self) -> None:
        """Let go of jobs that left before their deadline, once they outnumber those that wait."""
        if len(self._deadlines) > 2 * self._jobs + _SPARE:
            self._deadlines = [entry for entry in self._deadlines if entry[2].waiting]
            heapq.heapify(self._deadlines)

    def _remove(self, item: Item) -> None:
        job = item.job
        items = self._callers[job.caller]
        del items[item], job.waiting[item]
        self.waiting -= len(item)
        self._jobs -= not job.waiting
        if not items:
            del self._callers[job.caller]


def choose_batch(lengths: Sequence[int], batching: Batching) -> list[int]:
    """Places of the items that go with the first: the largest run in order of length that costs and wastes little."""
    order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
    sizes = [lengths[place] for place in order]
    sums = [0, *accumulate(sizes)]
    lead = order.index(0)
    best, most = (lead, lead), sizes[lead]
    end = lead  # the longest run from ``low`` grows as ``low`` does, so going down it only shrinks
    while end + 1 < len(sizes) and sizes[end + 1] * (end - lead + 2) <= batching.budget:
        end += 1
    for low in range(lead, -1, -1):
        while end > lead and sizes[end] * (end - low + 1) > batching.budget:
            end -= 1
        if sizes[end] * (end - low + 1) > batching.budget:
            break
        for high in range(end, lead - 1, -1):
            total = sums[high + 1] - sums[low]
            if total <= most:
                break
            if total >= batching.fill * sizes[high] * (high - low + 1):
                best, most = (low, high), total
                break
    return sorted(order[best[0] : best[1] + 1])

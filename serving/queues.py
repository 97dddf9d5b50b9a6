"""Items waiting for the device: callers take turns, neighbours in length go together, nothing waits for company.

A batch is chosen from a short window of items, one from each caller in turn, so that a caller with a thousand clips
does not hold up one with a single clip. The item whose turn it is always goes; others join it while the padded cost
keeps within the budget and padding stays small.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Encode = Callable[[list[Any]], torch.Tensor]
_SMOOTHING = 0.2  # weight of the newest forward in the measured rate


@dataclass
class Job:
    """One request's items of one kind; ``left`` counts those without a vector, ``deadline`` is in loop seconds."""

    vectors: Vectors
    left: int
    future: asyncio.Future[Vectors]
    loop: asyncio.AbstractEventLoop
    deadline: float = float("inf")

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
    """``budget`` bounds longest × count of a forward, ``window`` the items looked at, ``fill`` the useful share."""

    budget: int
    window: int
    fill: float


@dataclass
class Queue:
    """Items of one kind, by caller in the order of their turns. ``waiting`` is their length in all."""

    name: str
    encode: Encode
    batching: Batching
    waiting: int = 0
    rate: float = 0.0
    _callers: OrderedDict[str, deque[Item]] = field(default_factory=OrderedDict)

    def __bool__(self) -> bool:
        return bool(self._callers)

    def add(self, items: Sequence[Item], caller: str) -> None:
        """Append a request's items to those of its caller."""
        self._callers.setdefault(caller, deque()).extend(items)
        self.waiting += sum(map(len, items))

    def take(self, now: float) -> tuple[list[Item], list[Item]]:
        """The next batch, and items that waited beyond their deadline; those whose request has gone are dropped."""
        expired = self._drop_dead(now)
        window = list(self._window())
        if not window:
            return [], expired
        chosen = choose_batch([len(item) for _, item in window], self.batching)
        for caller, item in (window[place] for place in chosen):
            self._remove(caller, item)
        if (caller := window[0][0]) in self._callers:
            self._callers.move_to_end(caller)
        return [window[place][1] for place in chosen], expired

    def seconds(self, more: int = 0) -> float:
        """Predicted seconds until all that waits, and ``more``, is done; 0 before anything was measured."""
        return (self.waiting + more) / self.rate if self.rate else 0.0

    def measure(self, length: int, seconds: float) -> None:
        """Learn from a forward over items of ``length`` in all."""
        rate = length / max(seconds, 1e-6)
        self.rate = rate if not self.rate else (1 - _SMOOTHING) * self.rate + _SMOOTHING * rate

    def _window(self) -> Iterator[tuple[str, Item]]:
        """Up to a window of items, one of each caller in turn."""
        lines = [(caller, list(islice(items, self.batching.window))) for caller, items in self._callers.items()]
        deepest = max((len(items) for _, items in lines), default=0)
        rounds = ((caller, items[depth]) for depth in range(deepest) for caller, items in lines if depth < len(items))
        yield from islice(rounds, self.batching.window)

    def _drop_dead(self, now: float) -> list[Item]:
        expired = []
        for caller in list(self._callers):
            for item in list(self._callers[caller]):
                late = item.job.deadline < now
                if late or item.job.future.done():
                    self._remove(caller, item)
                    expired += [item] if late and not item.job.future.done() else []
        return expired

    def _remove(self, caller: str, item: Item) -> None:
        items = self._callers[caller]
        items.remove(item)
        self.waiting -= len(item)
        if not items:
            del self._callers[caller]


def choose_batch(lengths: Sequence[int], batching: Batching) -> list[int]:
    """Places of the items that go with the first: the largest run in order of length that costs and wastes little."""
    order = sorted(range(len(lengths)), key=lambda place: (lengths[place], place))
    lead = order.index(0)
    best, most = (lead, lead), lengths[0]
    for low in range(lead, -1, -1):
        total = sum(lengths[order[place]] for place in range(low, lead))
        for high in range(lead, len(order)):
            total += lengths[order[high]]
            padded = lengths[order[high]] * (high - low + 1)
            if padded > batching.budget:
                break
            if total >= batching.fill * padded and total > most:
                best, most = (low, high), total
    return sorted(order[best[0] : best[1] + 1])

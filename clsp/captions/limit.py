"""How many requests an endpoint is sent at once, found out by itself.

Too few leave an engine idle, which costs money; a few too many only queue in it. So the limit doubles while more
requests give more answers a second, settles just above the knee, and feels its way up again now and then. A refusal
(429, 503) says exactly how many were accepted; a timeout halves.
"""

from dataclasses import dataclass, field

_WORTH_DOUBLING = 1.5  # of the 2 that twice the requests could give
_WORTH_PROBING = 1.08  # of 1.25
_HEADROOM = 1.25  # what queues in the engine while answers are being replaced
_PROBE = 1.25
_BUSY = 0.8  # a sample tells something when this share of the limit was in flight
_LONGEST_REST = 64


@dataclass
class _Epoch:
    """Answers to requests that were sent under one limit: by Little's law, in flight / latency is the throughput."""

    number: int
    wanted: int
    skipped: int = 0  # the first answers are of requests that met the queue of the limit before
    answers: int = 0
    in_flight: float = 0.0
    seconds: float = 0.0

    @property
    def throughput(self) -> float:
        return self.in_flight / self.seconds if self.seconds else 0.0

    @property
    def latency(self) -> float:
        return self.seconds / self.answers


@dataclass
class AdaptiveLimit:
    """The limit of one endpoint: starts at ``first``, never leaves 1 … ``most``. Pure: it knows no clock."""

    most: int
    first: int
    value: int = field(init=False)

    def __post_init__(self) -> None:
        self.value = max(1, min(self.first, self.most))
        self._doubling, self._probing = True, False
        self._known: _Epoch | None = None  # the last epoch at a lower or equal limit
        self._rest = self._rested = 0
        self._epoch = _Epoch(0, wanted=max(8, self.value // 4))

    @property
    def epoch(self) -> int:
        """Number of the present epoch; give it back with the sample or signal of a request that started in it."""
        return self._epoch.number

    def answered(self, epoch: int, in_flight: float, seconds: float) -> None:
        """Count an answer after ``seconds``, in which ``in_flight`` requests were out on average, this one included."""
        if epoch != self._epoch.number or in_flight < _BUSY * self.value:
            return
        if self._epoch.skipped > 0:
            self._epoch.skipped -= 1
            return
        self._epoch.answers += 1
        self._epoch.in_flight += in_flight
        self._epoch.seconds += max(seconds, 1e-6)
        if self._epoch.answers >= self._epoch.wanted:
            self._judge()

    def refused(self, in_flight: int) -> None:
        """The endpoint had no room for one of ``in_flight`` requests: the others are what it takes."""
        if in_flight <= self.value:
            self._rest = min(_LONGEST_REST, max(2, 2 * self._rest))
            self._settle(in_flight - 1)

    def timed_out(self, epoch: int) -> None:
        """An answer did not come in time; requests that started before the last change say nothing new."""
        if epoch == self._epoch.number:
            self._settle(self.value // 2)

    def _judge(self) -> None:
        seen, known = self._epoch, self._known
        if self._doubling:
            if known is None or seen.throughput >= _WORTH_DOUBLING * known.throughput:
                self._known = seen
                if self.value < self.most:
                    self._move(2 * self.value)
                else:
                    self._settle(self.value)
            else:
                best = max(seen.throughput, known.throughput)
                self._settle(round(_HEADROOM * best * known.latency) + 1)
        elif self._probing:
            self._judge_probe(seen)
        else:
            self._known = seen
            self._rested += 1
            if self._rested >= self._rest and self.value < self.most:
                self._before, self._probing = self.value, True
                self._move(max(self.value + 1, round(_PROBE * self.value)))
            else:
                self._move(self.value)

    def _judge_probe(self, seen: _Epoch) -> None:
        if self._known and seen.throughput >= _WORTH_PROBING * self._known.throughput:
            self._rest = 0  # worth another at once
            self._settle(self.value)
        else:
            self._rest = min(_LONGEST_REST, max(4, 2 * self._rest))
            self._settle(self._before)

    def _settle(self, value: int) -> None:
        self._doubling = self._probing = False
        self._rested = 0
        self._move(value)

    def _move(self, value: int) -> None:
        self.value = max(1, min(value, self.most))
        self._epoch = self._new_epoch(self._epoch.number + 1)

    def _new_epoch(self, number: int) -> _Epoch:
        if self._doubling:  # so few that one round of answers holds them, for the capacity above stays idle meanwhile
            return _Epoch(number, wanted=max(8, self.value // 4), skipped=self.value // 4)
        return _Epoch(number, wanted=max(32, self.value), skipped=self.value)

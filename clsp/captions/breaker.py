"""A circuit breaker: an endpoint that only fails is left alone for a while, and taken back when a trial succeeds."""

from dataclasses import dataclass

_LONGEST_SECONDS = 30.0


@dataclass
class Breaker:
    """Opens after ``threshold`` faults in a row, for ``seconds`` that double with each failed trial. Pure: no clock."""

    threshold: int
    seconds: float
    _faults: int = 0
    _trials: int = 0
    _until: float = 0.0
    _trying: bool = False

    @property
    def is_closed(self) -> bool:
        """Whether requests flow freely."""
        return self._trials == 0

    @property
    def opens_again_at(self) -> float:
        """When an open breaker lets a trial through."""
        return self._until

    def admits(self, now: float) -> bool:
        """Whether a request may go: any when closed, one trial at a time when the wait is over."""
        return self.is_closed or (now >= self._until and not self._trying)

    def entered(self) -> None:
        """A request goes; behind an open breaker it is the trial."""
        self._trying = not self.is_closed

    def succeeded(self) -> None:
        """The endpoint answered."""
        self._faults = self._trials = 0
        self._trying = False

    def spared(self) -> None:
        """A request ended in a way that says nothing of the endpoint."""
        self._trying = False

    def failed(self, now: float, at_once: bool = False) -> bool:
        """Count a fault of the endpoint; ``at_once`` opens without waiting for more. True when this opened it."""
        was_trial, self._trying = self._trying, False
        self._faults += 1
        if not self.is_closed and not was_trial:
            return False  # sent before it opened
        if self.is_closed and not at_once and self._faults < self.threshold:
            return False
        self._until = now + min(self.seconds * 2**self._trials, _LONGEST_SECONDS)
        self._trials += 1
        return True

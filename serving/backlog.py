"""What was let in and does not wait for the device yet: sounds that are still being decoded.

They will need the device too. An admission that only looked at the device's queue would let in, while decoding is what
holds things up, far more than can be done in time.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_SMOOTHING = 0.1  # weight of the newest measurement


@dataclass
class Backlog:
    """Counts sounds on their way; seconds of decoding and of the device that one takes are measured as they pass."""

    workers: int
    coming: int = 0
    decode_seconds: float = 0.0
    device_seconds: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def expecting(self, sounds: int) -> Iterator[None]:
        """The sounds of a request, from its admission until they wait for the device."""
        with self._lock:
            self.coming += sounds
        try:
            yield
        finally:
            with self._lock:
                self.coming -= sounds

    def seconds(self) -> float:
        """Predicted seconds until all that comes is done."""
        return self.coming * (self.decode_seconds / self.workers + self.device_seconds)

    def decoded(self, seconds: float) -> None:
        """Learn from a sound that was decoded."""
        self.decode_seconds = _smooth(self.decode_seconds, seconds)

    def forwarded(self, sounds: int, seconds: float) -> None:
        """Learn from a batch that went through the device."""
        self.device_seconds = _smooth(self.device_seconds, seconds / sounds)


def _smooth(before: float, newest: float) -> float:
    return newest if not before else (1 - _SMOOTHING) * before + _SMOOTHING * newest

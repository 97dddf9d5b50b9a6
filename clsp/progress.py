"""Progress of long work: how far, how fast, how long still.

One line every few seconds on standard error (JSON when it is not a terminal), so that a person and a log collector
read the same numbers. Nothing here knows what is being counted.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import orjson

from clsp import metrics


def format_duration(seconds: float) -> str:
    """``75`` as ``1m15s``, ``7505`` as ``2h05m``."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


@dataclass
class Progress:
    """Counts ``done`` of ``total`` units of work (0: unknown); a context manager, so that the last line is printed."""

    name: str
    total: int
    unit: str = "rows"
    every_seconds: float = 5.0
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    resumed: int = 0
    facts: dict[str, float | int | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self._printed = self.clock()

    def __enter__(self) -> Self:
        metrics.serve()
        metrics.report_progress(self.name, self.done, self.total, None, {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._print(self.clock())

    def resume(self, done: int) -> None:
        """Count work of an earlier run, which says nothing about today's rate."""
        self.done = self.resumed = done

    def advance(self, by: int = 1, **facts: float | int | str) -> None:
        """Count ``by`` more units and remember ``facts`` for the next line."""
        self.done += by
        self.facts.update(facts)
        now = self.clock()
        if now - self._printed >= self.every_seconds:
            self._print(now)

    def _print(self, now: float) -> None:
        self._printed = now
        elapsed = now - self._started
        rate = (self.done - self.resumed) / elapsed if elapsed > 0 else 0.0
        left = (self.total - self.done) / rate if rate > 0 and self.total else None
        metrics.report_progress(self.name, self.done, self.total, left, self.facts)
        sys.stderr.write(self._line(rate, left) + "\n")
        sys.stderr.flush()

    def _line(self, rate: float, left: float | None) -> str:
        if sys.stderr.isatty():
            eta = f", {format_duration(left)} left" if left is not None and self.done < self.total else ""
            facts = "".join(f"  {key} {value}" for key, value in self.facts.items())
            return f"  {self.name}: {self.done}/{self.total or '?'} {self.unit}, {rate:.3g}/s{eta}{facts}"
        event = {
            "event": "progress", "step": self.name, "done": self.done, "total": self.total, "unit": self.unit,
            "rate": round(rate, 3), "seconds_left": None if left is None else round(left, 1), **self.facts,
        }  # fmt: skip
        return orjson.dumps(event).decode()

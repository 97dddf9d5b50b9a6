"""Leaving in good order: what makes a training process stop between two steps, and what it raises when it does.

A process is told to stop with SIGTERM: by a node that is drained, or by its agent because members come or go. It
finishes its step, all save, and all leave; the agents then form the next world, or the run ends until it is resumed.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from clsp.errors import TrainingError

EXIT_AGAIN = 75  # EX_TEMPFAIL: what the agent starts again


class InterruptionError(TrainingError):
    """Training stops here and goes on from its last step in another world; no fault of the training."""

    exit_code = EXIT_AGAIN


def told_to_stop(step: int) -> InterruptionError:
    """A process of the group got SIGTERM."""
    return InterruptionError(
        f"training was told to stop and saved step {step}", hint="run again to go on from it; nothing is lost"
    )


def lost_peers(step: int, ranks: list[int], silent_seconds: float | None) -> InterruptionError:
    """Others did not come to step ``step``: they ended, or were silent for ``silent_seconds``."""
    who = f"process {', '.join(map(str, ranks))}" if ranks else "another process"
    what = f"did not answer for {silent_seconds:g} s" if silent_seconds else "was lost"
    return InterruptionError(
        f"{who} {what} at step {step}",
        hint="the log of that process says why; a hung one is ended by its agent. Training goes on with the others",
    )


def late_start(rank: int, seconds: float) -> InterruptionError:
    """A worker had ``seconds`` and did not come to its first step."""
    return InterruptionError(
        f"process {rank} did not begin its first step within {seconds:g} s",
        hint="its last lines say what it waits for; raise train.start_seconds if this machine needs longer",
    )


class StopRequest:
    """Whether this process was told to stop."""

    def __init__(self) -> None:
        self.made = False

    @contextmanager
    def heard(self) -> Iterator["StopRequest"]:
        """Until the end of the context SIGTERM only sets ``made``; outside it, it ends the process at once."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = signal.signal(signal.SIGTERM, self._hear)
        try:
            yield self
        finally:
            signal.signal(signal.SIGTERM, before)

    def _hear(self, *_: Any) -> None:
        self.made = True

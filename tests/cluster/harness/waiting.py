"""Waiting for a condition that nothing announces."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(what: str, check: Callable[[], T], timeout: float, every: float = 0.2) -> T:
    """Ask again and again until the answer is true, and return it.

    An error of the check counts as no, and the last one is told when time is up.

    Raises:
        TimeoutError: it never was.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = check()
            if last:
                return last
        except (OSError, RuntimeError, LookupError, ValueError) as error:
            last = error
        time.sleep(every)
    raise TimeoutError(f"{what}: not within {timeout:.0f} s; last: {last}")

"""Work that a step started on the cluster ends with the step, whichever way that ends, unless it is killed outright.

A step killed with SIGKILL leaves its work running; the next try of the step finds it by name and goes on.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from clsp.logs import get_logger

log = get_logger(__name__)


@contextmanager
def cancelling(cancel: Callable[[], None]) -> Iterator[None]:
    """Call ``cancel`` when the block is left by anything but its end: an error, SIGTERM, Ctrl-C."""
    with _termination_raises():
        try:
            yield
        except BaseException as error:
            log.warning("work_cancelled", reason=type(error).__name__)
            cancel()
            raise


@contextmanager
def _termination_raises() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers; whoever runs steps in threads ends them otherwise
        return

    def stop(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)  # cancelling takes a moment and must not be cut short by a second one
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)

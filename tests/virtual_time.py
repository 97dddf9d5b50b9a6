"""An event loop whose clock goes from timer to timer: minutes are over at once, and a busy machine changes nothing.

All that answer each other must run in it: while nothing of theirs is to be done, the next timer is due.
"""

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

_SETTLED = 0.001  # a byte sent on loopback has arrived by then; if not, it counts as that much slower


class _Selector(selectors.DefaultSelector):
    """Waits for nothing but what is already on its way."""

    loop: "VirtualLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(min(timeout, _SETTLED) if timeout else timeout)
        if timeout and not found:
            self.loop.now += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """``now`` is its time in seconds. What others do in threads is done at once, in the loop's."""

    def __init__(self) -> None:
        self.now = 1.0  # a time that is also true
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001
            done.set_exception(error)
        return done

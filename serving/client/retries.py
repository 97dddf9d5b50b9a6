"""When a call is tried again, told apart from how it is sent: one plan that the blocking and the async client follow.

A busy server says when to come back (429 with Retry-After); a replica that drains or a connection that broke is tried
again soon. Never beyond the caller's deadline, which the server is told too.
"""

import random
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass

import httpx

from serving.client.messages import unreachable

_AGAIN = frozenset({429, 502, 503, 504})


@dataclass(frozen=True)
class Retries:
    """At most ``attempts`` in all; without a Retry-After waits double from ``first_seconds`` to ``most_seconds``."""

    attempts: int = 5
    first_seconds: float = 0.2
    most_seconds: float = 5.0


@dataclass(frozen=True)
class Send:
    """Send the request now; it may take so many seconds."""

    seconds: float


@dataclass(frozen=True)
class Sleep:
    """Wait so many seconds."""

    seconds: float


Outcome = httpx.Response | httpx.TransportError
Plan = Generator[Send | Sleep, Outcome | None, httpx.Response]


def plan_call(retries: Retries, seconds: float, clock: Callable[[], float] = time.monotonic) -> Plan:
    """Steps of one call that may take ``seconds`` in all: each ``Send`` wants its outcome sent in.

    Returns the last answer, whatever its status; raises ``EndpointError`` when none came.
    """
    deadline = clock() + seconds
    outcome: Outcome | None = None
    for attempt in range(1, retries.attempts + 1):
        outcome = yield Send(max(0.001, deadline - clock()))
        wait = _wait(outcome, retries, attempt)
        if wait is None or attempt == retries.attempts or clock() + wait >= deadline:
            break
        yield Sleep(wait)
    if isinstance(outcome, httpx.Response):
        return outcome
    raise unreachable(outcome or EOFError()) from outcome


def _wait(outcome: Outcome | None, retries: Retries, attempt: int) -> float | None:
    """Seconds until the next attempt; None when there is nothing to hope for."""
    wait: float = min(retries.most_seconds, retries.first_seconds * 2 ** (attempt - 1))
    if isinstance(outcome, httpx.Response):
        if outcome.status_code not in _AGAIN:
            return None
        told = outcome.headers.get("retry-after", "")
        wait = float(told) if told.isdigit() else wait
    apart: float = random.uniform(1.0, 1.25)  # noqa: S311 - callers who were refused together come back one by one
    return wait * apart

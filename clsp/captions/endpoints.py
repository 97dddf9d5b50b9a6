"""Several endpoints at once: who takes the next request, who is left out, and when nobody is left.

Each endpoint has its own limit and breaker. A caller waits until one has room; requests of one group (the views of a
clip) go to the same endpoint where they can, so that its prefix cache hears the clip once. Everything here runs in
one event loop.
"""

import asyncio
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

from clsp.captions.answers import Fault
from clsp.captions.breaker import Breaker
from clsp.captions.connection import Connection
from clsp.captions.limit import AdaptiveLimit
from clsp.config.captions import EndpointSettings
from clsp.errors import EndpointError
from clsp.logs import get_logger

log = get_logger(__name__)
UNREACHABLE = "unreachable"
REFUSALS = frozenset({"rate_limited", "overloaded"})
# What is wrong with the endpoint, not with the row that met it.
SICKNESSES = frozenset({UNREACHABLE, "connection_lost", "server_error", "overloaded", "timeout"})
CANCELLED = Fault("cancelled")
_LEAST_PAUSE = 0.05


@dataclass(eq=False)
class Endpoint:
    """One endpoint as its caller knows it."""

    connection: Connection
    limit: AdaptiveLimit
    breaker: Breaker
    in_flight: int = 0
    paused_until: float = 0.0
    _area: float = 0.0  # requests in flight x seconds, until _since
    _since: float = 0.0

    def change(self, by: int, now: float) -> float:
        """Count requests that come or go; gives the request-seconds that were in flight until now."""
        self._area += self.in_flight * (now - self._since)
        self.in_flight, self._since = self.in_flight + by, now
        return self._area

    def has_room(self, now: float) -> bool:
        """Whether a request may go to it at once."""
        room = self.in_flight < self.limit.value
        return room and now >= self.paused_until and self.breaker.admits(now)


@dataclass(frozen=True)
class Place:
    """A request's place at an endpoint, from when it was sent, and the endpoint's request-seconds until then."""

    endpoint: Endpoint
    epoch: int
    since: float
    area: float


@dataclass(order=True)
class _Waiter:
    priority: tuple[int, int]
    group: str = field(compare=False)
    place: asyncio.Future[Place | None] = field(compare=False)


class Endpoints:
    """Hands out places. Raises ``EndpointError`` when no endpoint has been well for ``outage_seconds``."""

    def __init__(self, connections: Sequence[Connection], settings: EndpointSettings) -> None:
        self._settings = settings
        self._all = [_endpoint(connection, settings) for connection in connections]
        self._waiting: list[_Waiter] = []
        self._arrivals = 0
        self._last: tuple[str, Endpoint] | None = None
        self._sick_since: float | None = None
        self._ever_answered = self._closed = False

    @property
    def limits(self) -> dict[str, int]:
        """The present limit of each endpoint that is not left out, by url."""
        return {one.connection.url: one.limit.value for one in self._all if one.breaker.is_closed}

    async def enter(self, group: str, turn: int) -> Place | None:
        """A place; earlier turns go first, then earlier arrivals. None when there will be none any more."""
        if self._closed:
            return None
        self._arrivals += 1
        waiter = _Waiter((turn, self._arrivals), group, asyncio.get_running_loop().create_future())
        heapq.heappush(self._waiting, waiter)
        self._hand_out()
        try:
            return await waiter.place
        except asyncio.CancelledError:
            if waiter.place.done() and not waiter.place.cancelled() and (place := waiter.place.result()):
                self.leave(place, CANCELLED)
            raise

    def close(self) -> None:
        """Give no more places: who waits is told so, who has one may keep it."""
        self._closed = True
        for waiter in self._waiting:
            if not waiter.place.done():
                waiter.place.set_result(None)
        self._waiting.clear()

    def leave(self, place: Place, fault: Fault | None = None) -> None:
        """Give the place back; ``fault`` is None for any answer that the endpoint itself is well by."""
        loop = asyncio.get_running_loop()
        endpoint, now = place.endpoint, loop.time()
        together = endpoint.in_flight
        area, seconds = endpoint.change(-1, now) - place.area, max(now - place.since, 1e-6)
        if fault is None:
            self._sick_since, self._ever_answered = None, True
            endpoint.breaker.succeeded()
            endpoint.limit.answered(place.epoch, area / seconds, seconds)
        elif fault.reason in REFUSALS:
            self._refused(endpoint, together, now, fault)
        elif fault.reason in SICKNESSES:
            self._failed(endpoint, place, now, fault)
        else:
            endpoint.breaker.spared()
        self._hand_out()

    def _refused(self, endpoint: Endpoint, together: int, now: float, fault: Fault) -> None:
        endpoint.limit.refused(together)
        if endpoint.in_flight == 0:  # it takes nothing at all
            wait = max(fault.wait_seconds, _LEAST_PAUSE, self._settings.backoff_seconds)
            endpoint.paused_until = now + min(wait, self._settings.max_wait_seconds)
            self._look_again_at(endpoint.paused_until)
        if fault.reason in SICKNESSES:
            self._break(endpoint, now, fault)
        else:
            endpoint.breaker.spared()

    def _failed(self, endpoint: Endpoint, place: Place, now: float, fault: Fault) -> None:
        if fault.reason == "timeout":
            endpoint.limit.timed_out(place.epoch)
        self._break(endpoint, now, fault)

    def _break(self, endpoint: Endpoint, now: float, fault: Fault) -> None:
        if endpoint.breaker.failed(now, at_once=fault.reason == UNREACHABLE):
            log.warning("endpoint_left_out", url=endpoint.connection.url, reason=fault.reason, detail=fault.detail)
            self._look_again_at(endpoint.breaker.opens_again_at)
            self._give_up_late(now, fault)

    def _give_up_late(self, now: float, fault: Fault) -> None:
        if any(endpoint.breaker.is_closed for endpoint in self._all):
            return
        self._sick_since = now if self._sick_since is None else self._sick_since
        patience = self._settings.outage_seconds if self._ever_answered else self._settings.first_answer_seconds
        if now - self._sick_since >= patience:
            raise _outage([endpoint.connection for endpoint in self._all], fault, now - self._sick_since)

    def _look_again_at(self, when: float) -> None:
        asyncio.get_running_loop().call_at(when + 0.001, self._hand_out)

    def _hand_out(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._waiting:
            if self._waiting[0].place.done():  # its caller was cancelled
                heapq.heappop(self._waiting)
                continue
            if (endpoint := self._choose(self._waiting[0].group, now)) is None:
                return
            waiter = heapq.heappop(self._waiting)
            area = endpoint.change(1, now)
            endpoint.breaker.entered()
            self._last = (waiter.group, endpoint)
            waiter.place.set_result(Place(endpoint, endpoint.limit.epoch, now, area))

    def _choose(self, group: str, now: float) -> Endpoint | None:
        if self._last and self._last[0] == group and self._last[1].has_room(now):
            return self._last[1]
        free = [endpoint for endpoint in self._all if endpoint.has_room(now)]
        return max(free, key=lambda one: one.limit.value - one.in_flight, default=None)


def _endpoint(connection: Connection, settings: EndpointSettings) -> Endpoint:
    limit = AdaptiveLimit(settings.concurrency, settings.first_concurrency)
    return Endpoint(connection, limit, Breaker(settings.breaker_faults, settings.backoff_seconds))


def _outage(connections: Sequence[Connection], fault: Fault, seconds: float) -> EndpointError:
    urls = ", ".join(connection.url for connection in connections)
    what = "cannot be reached" if fault.reason == UNREACHABLE else f"gave no answer but {fault.reason}"
    return EndpointError(
        f"{urls} {what} for {seconds:.0f} s ({fault.detail})",
        hint="start the endpoint, check its url, and run again: finished work is kept",
    )

"""Offered load: requests that arrive when they arrive, whether or not the server keeps up (an open loop).

A latency counts from the moment a request was due, so a client that falls behind does not make a slow server look fast.
"""

import asyncio
import random
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import aiohttp
import httpx

_HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Outcome:
    """One request: which body, status (0: no answer), seconds from when it was due until its answer.

    ``lag`` are the first of these seconds, in which this client had not sent it yet.
    """

    body: int
    status: int
    seconds: float
    lag: float = 0.0


@dataclass(frozen=True)
class Target:
    """Where requests go, their bodies, and how long the server is told an answer is worth waiting for (0: its own)."""

    url: str
    bodies: Sequence[bytes]
    patience: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """Headers of every request."""
        return {**_HEADERS, "X-Request-Timeout": f"{self.patience:g}"} if self.patience else _HEADERS


async def offer(target: Target, rate: float, seconds: float, seed: int = 0) -> list[Outcome]:
    """Send ``rate`` requests a second for ``seconds``, at random moments; returns when each has an outcome."""
    dice, due, started = random.Random(seed), 0.0, time.monotonic()  # noqa: S311
    tasks = []
    async with _client(target) as http:
        while (due := due + dice.expovariate(rate)) < seconds:
            await asyncio.sleep(max(0.0, started + due - time.monotonic()))
            place = dice.randrange(len(target.bodies))
            tasks.append(asyncio.create_task(_send(http, target, place, started + due)))
        return list(await asyncio.gather(*tasks))


async def saturate(target: Target, clients: int, count: int) -> list[Outcome]:
    """``clients`` that each send their next request when the last was answered, ``count`` in all."""
    places: Iterator[int] = iter(place % len(target.bodies) for place in range(count))

    async def keep_sending(http: aiohttp.ClientSession) -> list[Outcome]:
        return [await _send(http, target, place, time.monotonic()) for place in places]

    async with _client(target) as http:
        done = await asyncio.gather(*(keep_sending(http) for _ in range(clients)))
    return [outcome for each in done for outcome in each]


def _client(target: Target) -> aiohttp.ClientSession:
    """Cheap a request (httpx takes some times its CPU), so that the client is not what is measured; any connections."""
    timeout = aiohttp.ClientTimeout(total=120)
    return aiohttp.ClientSession(target.url, timeout=timeout, connector=aiohttp.TCPConnector(limit=0))


async def _send(http: aiohttp.ClientSession, target: Target, place: int, due: float) -> Outcome:
    sent = time.monotonic()
    try:
        async with http.post("/v1/embeddings", data=target.bodies[place], headers=target.headers) as response:
            await response.read()
            status = response.status
    except (aiohttp.ClientError, TimeoutError):
        status = 0
    return Outcome(place, status, time.monotonic() - due, sent - due)


@dataclass
class Probes:
    """Seconds that each live probe took."""

    seconds: list[float] = field(default_factory=list)


@contextmanager
def probing(url: str, every: float = 0.1) -> Iterator[Probes]:
    """Ask ``/v2/health/live`` over and over, from a thread of its own, while in the block."""
    probes, stop = Probes(), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as http:
            while not stop.wait(every):
                started = time.monotonic()
                http.get("/v2/health/live").raise_for_status()
                probes.seconds.append(time.monotonic() - started)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield probes
    finally:
        stop.set()
        thread.join()


def quantile(values: Sequence[float], share: float) -> float:
    """The value that ``share`` of ``values`` do not exceed; 0 when there is none."""
    if len(values) < 2:
        return float(values[0]) if values else 0.0
    return statistics.quantiles(values, n=1000, method="inclusive")[min(998, max(0, round(share * 1000) - 1))]

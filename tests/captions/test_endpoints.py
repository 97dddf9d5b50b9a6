"""What an endpoint is known by while its answers come in bursts."""

import asyncio

from clsp.captions.connection import Connection
from clsp.captions.endpoints import Endpoints
from clsp.config import EndpointSettings

URL = "http://127.0.0.1:1/v1"


def test_answers_that_come_all_at_once_double_the_limit_each_round():
    """An engine of fixed service time answers in bursts; all of it was in flight until then."""
    loop, now, limits = asyncio.new_event_loop(), [0.0], []
    loop.time = lambda: now[0]

    async def play() -> None:
        endpoints = Endpoints([Connection(URL)], EndpointSettings(url=URL, concurrency=128, first_concurrency=16))
        out = []
        for _ in range(4):
            limits.append(endpoints.limits[URL])
            out += [await endpoints.enter("", 0) for _ in range(limits[-1] - len(out))]
            now[0] += 1.0
            for place in out:
                endpoints.leave(place)
            out = []

    loop.run_until_complete(play())
    loop.close()
    assert limits == [16, 32, 64, 128]

"""The client under load: the engine's limit is found and used, several endpoints share, dead ones are left out."""

import asyncio
import statistics
import time
from contextlib import ExitStack

import aiohttp
import pytest

from clsp.captions.budget import FailureBudget
from clsp.captions.client import Answered, ChatClient, ChatRequest
from clsp.captions.connection import Connection
from clsp.config import EndpointSettings
from clsp.errors import EndpointError
from tests.captioning import QUICK, describer, describing
from tests.captions.test_caption_client import requests
from tests.fixed_engine import Engine, fixed_engine, listen
from tests.virtual_time import VirtualLoop


def ask(urls: list[str], asked: list[ChatRequest], **changes):
    settings = EndpointSettings(url=",".join(urls), **changes)
    budget = FailureBudget("x", len(asked), 1.0, 10_000)
    with ChatClient([Connection(url) for url in urls], settings, budget) as client:
        replies = client.ask(asked)
        return replies, client.limits


@pytest.fixture
def ask_engines(monkeypatch):
    """``ask`` of engines in the client's own loop, whose time is virtual; the limits are in the engines' order."""

    def asking(engines: list[Engine], asked: list[ChatRequest], **changes):
        loop = VirtualLoop()
        monkeypatch.setattr(asyncio, "new_event_loop", lambda: loop)
        urls = [loop.run_until_complete(listen(engine)) for engine in engines]
        replies, limits = ask(urls, asked, **changes)
        return replies, [limits.get(url) for url in urls]

    return asking


def bodies(count: int, size: int = 20_000) -> list[ChatRequest]:
    body = b"x" * size
    return [ChatRequest(f"r{number}", lambda: body, str(number // 5)) for number in range(count)]


@pytest.mark.parametrize("refuses", [False, True])
def test_the_limit_of_an_engine_is_found_and_used(ask_engines, refuses):
    engine = Engine(32, 0.2, refuses)
    replies, (limit,) = ask_engines([engine], bodies(32 * 30), backoff_seconds=0.1, attempts=20)
    assert all(isinstance(reply, Answered) for reply in replies)
    assert 32 <= limit <= 160
    # Between an answer and the next request no slot is busy, which takes no time here; bench/annotate.md has the rate.
    assert engine.used > 0.9
    assert engine.refused < 0.2 * len(replies)


def test_a_request_costs_little_beside_what_sending_it_costs():
    asked = bodies(400)

    async def post(url: str) -> None:
        places = asyncio.Semaphore(32)

        async def send(request: ChatRequest) -> None:
            async with places, session.post(f"{url}/chat/completions", data=request.body()) as response:
                await response.read()

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*map(send, asked))

    def spent(work) -> float:
        started = time.process_time()
        work()
        return time.process_time() - started

    with fixed_engine(32, 0.001) as url:
        ratios = [
            spent(lambda: ask([url], asked, concurrency=32)) / spent(lambda: asyncio.run(post(url))) for _ in range(5)
        ]
    assert statistics.median(ratios) < 3, ratios


def test_several_endpoints_share_by_what_they_can(ask_engines):
    small, large = Engine(8, 0.1), Engine(24, 0.1)
    ask_engines([small, large], bodies(800))
    assert large.answered > 1.5 * small.answered > 0


def test_a_dead_endpoint_is_left_out_and_nothing_is_lost():
    with fixed_engine(8, 0.05) as dead:
        pass
    with fixed_engine(8, 0.05) as alive:
        replies, limits = ask([dead, alive], bodies(100), backoff_seconds=0.01)
    assert all(isinstance(reply, Answered) for reply in replies)
    assert list(limits) == [alive]


def test_an_endpoint_that_only_fails_is_left_out_too(ask_engines):
    sick, well = Engine(64, 0.01, status=500), Engine(8, 0.05)
    replies, _ = ask_engines([sick, well], bodies(80), **{**QUICK, "attempts": 20, "breaker_faults": 4})
    assert all(isinstance(reply, Answered) for reply in replies)
    assert 0 < sick.answered < 80


def test_an_endpoint_that_comes_back_is_taken_back():
    with ExitStack() as stack:
        first = stack.enter_context(fixed_engine(4, 0.02))
        port = first.rsplit(":", 1)[1].removesuffix("/v1")
        settings = EndpointSettings(url=first, backoff_seconds=0.05, outage_seconds=60, first_answer_seconds=60)
        with ChatClient([Connection(first)], settings, FailureBudget("x", 100, 1.0, 100)) as client:
            assert isinstance(client.ask(bodies(1))[0], Answered)
            stack.close()
            with fixed_engine(4, 0.02, port=int(port)):
                replies = client.ask(bodies(50))
    assert all(isinstance(reply, Answered) for reply in replies)


def test_a_wedged_engine_is_given_up_after_the_outage_it_may_have():
    patient = {"attempts": 1000, "max_retry_share": 100.0, "breaker_faults": 4, "timeout_seconds": 0.1}
    with describer("hang=60") as url, pytest.raises(EndpointError, match="gave no answer but timeout"):
        ask([url], requests(8), **{**QUICK, **patient})


def test_a_request_ends_at_its_deadline_whatever_is_left_to_try(ask_engines):
    engine = Engine(1, 0.3, status=500)
    endless = {"attempts": 10_000, "breaker_faults": 10**6, "max_retry_share": 10_000}
    replies, _ = ask_engines([engine], bodies(1), **{**QUICK, **endless, "deadline_seconds": 60})
    assert replies[0].reason in {"server_error", "timeout"}
    assert replies[0].attempts > 100
    assert 59 < engine.last - engine.first < 60.5  # the engine ends what its client gave up


def test_retries_are_few_among_all_requests():
    with describing("500") as server:
        ask([server.url], requests(100), **{**QUICK, "attempts": 50, "max_retry_share": 0.1, "breaker_faults": 10**6})
        assert server.trouble.requests <= 100 + 64 + 10


def test_the_views_of_a_clip_go_out_together(ask_engines):
    order: list[str] = []

    def body(number: int):
        return lambda: order.append(f"{number // 5}") or b"x"

    asked = [ChatRequest(str(n), body(n), str(n // 5)) for n in range(60)]
    ask_engines([Engine(4, 0.01), Engine(4, 0.01)], asked, concurrency=4)
    assert len(order) == 60
    spread = [max(i for i, g in enumerate(order) if g == name) - order.index(name) for name in set(order)]
    assert max(spread) <= 5 + 2 * 4

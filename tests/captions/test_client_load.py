"""The client under load: the engine's limit is found and used, several endpoints share, dead ones are left out."""

import json
import os
import time
import urllib.request
from contextlib import ExitStack

import pytest

from clsp.captions.budget import FailureBudget
from clsp.captions.client import Answered, ChatClient, ChatRequest
from clsp.captions.connection import Connection
from clsp.config import EndpointSettings
from clsp.errors import EndpointError
from tests.captioning import QUICK, describer, describing
from tests.captions.test_caption_client import requests
from tests.fixed_engine import fixed_engine


def ask(urls: list[str], asked: list[ChatRequest], **changes):
    settings = EndpointSettings(url=",".join(urls), **changes)
    budget = FailureBudget("x", len(asked), 1.0, 10_000)
    with ChatClient([Connection(url) for url in urls], settings, budget) as client:
        replies = client.ask(asked)
        return replies, client.limits


def bodies(count: int, size: int = 20_000) -> list[ChatRequest]:
    body = b"x" * size
    return [ChatRequest(f"r{number}", lambda: body, str(number // 5)) for number in range(count)]


def seen(url: str) -> dict:
    return json.load(urllib.request.urlopen(f"{url.removesuffix('/v1')}/seen"))


@pytest.mark.parametrize("refuses", [False, True])
def test_the_limit_of_an_engine_is_found_and_used(refuses):
    with fixed_engine(32, 0.2, refuses=refuses) as url:
        started = time.process_time()
        replies, limits = ask([url], bodies(32 * 30), backoff_seconds=0.1, attempts=20)
        spent, engine = time.process_time() - started, seen(url)
    assert all(isinstance(reply, Answered) for reply in replies)
    assert 24 <= limits[url] <= 160
    # The rest is the machine's: between an answer and the next request no slot is busy. bench/annotate.md has the rate.
    assert engine["used"] > 0.6
    assert engine["refused"] < 0.2 * len(replies)
    assert spent / len(replies) < 0.004


def test_several_endpoints_share_by_what_they_can():
    with fixed_engine(8, 0.1) as small, fixed_engine(24, 0.1) as large:
        ask([small, large], bodies(800))
        assert seen(large)["answered"] > 1.5 * seen(small)["answered"] > 0


def test_a_dead_endpoint_is_left_out_and_nothing_is_lost():
    with fixed_engine(8, 0.05) as dead:
        pass
    with fixed_engine(8, 0.05) as alive:
        replies, limits = ask([dead, alive], bodies(100), backoff_seconds=0.01)
    assert all(isinstance(reply, Answered) for reply in replies)
    assert list(limits) == [alive]


def test_an_endpoint_that_only_fails_is_left_out_too():
    with describing("500") as sick, describer() as well:
        replies, _ = ask([sick.url, well], requests(80), **{**QUICK, "attempts": 20, "breaker_faults": 4})
        assert all(isinstance(reply, Answered) for reply in replies)
        assert sick.trouble.requests < 80


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


def test_a_request_ends_at_its_deadline_whatever_is_left_to_try():
    with describer("500") as url:
        replies, _ = ask(
            [url], requests(1), **{**QUICK, "attempts": 10_000, "breaker_faults": 10**6, "deadline_seconds": 0.5}
        )
    assert replies[0].reason == "server_error"


def test_retries_are_few_among_all_requests():
    with describing("500") as server:
        ask([server.url], requests(100), **{**QUICK, "attempts": 50, "max_retry_share": 0.1, "breaker_faults": 10**6})
        assert server.trouble.requests <= 100 + 64 + 10


def test_the_views_of_a_clip_go_out_together():
    order: list[str] = []

    def body(number: int):
        return lambda: order.append(f"{number // 5}") or b"x"

    with fixed_engine(4, 0.01) as one, fixed_engine(4, 0.01) as two:
        ask([one, two], [ChatRequest(str(n), body(n), str(n // 5)) for n in range(60)], concurrency=4)
    assert len(order) == 60
    spread = [max(i for i, g in enumerate(order) if g == name) - order.index(name) for name in set(order)]
    assert max(spread) <= 5 + 2 * 4 + os.cpu_count()

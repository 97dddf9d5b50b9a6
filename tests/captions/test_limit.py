"""The adaptive limit against simulated engines of known capacity: it finds the knee and stays there."""

import heapq
from collections import deque
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsp.captions.limit import AdaptiveLimit


def simulate(limit: AdaptiveLimit, slots: int, answers: int, refuses: bool = False, service: float = 1.0) -> dict:
    """Serve ``answers`` requests by an engine of ``slots`` that queues the rest, or refuses it; what came of it."""
    now, number, in_flight, refusals = 0.0, count(), 0, 0
    finishing: list[tuple[float, int, int, float]] = []
    queue: deque[tuple[int, float]] = deque()
    busy = done = begun = 0
    highest = 0
    while done < answers:
        tries = 0
        while in_flight < limit.value and begun < answers + 10**6 and tries < 4 * limit.most:
            tries += 1
            in_flight += 1
            highest = max(highest, in_flight)
            if busy < slots:
                busy += 1
                heapq.heappush(finishing, (now + service, next(number), limit.epoch, now))
            elif refuses:
                refusals += 1
                limit.refused(in_flight)
                in_flight -= 1
            else:
                queue.append((limit.epoch, now))
        now, _, epoch, since = heapq.heappop(finishing)
        busy -= 1
        if queue:
            busy += 1
            waited = queue.popleft()
            heapq.heappush(finishing, (now + service, next(number), *waited))
        limit.answered(epoch, in_flight, now - since)
        in_flight -= 1
        done += 1
    return {"seconds": now, "rate": done / now, "refusals": refusals, "highest": highest}


@pytest.mark.parametrize("slots", [8, 64, 512])
@pytest.mark.parametrize("refuses", [False, True])
def test_a_fixed_engine_is_kept_busy(slots, refuses):
    limit = AdaptiveLimit(most=2048, first=64)
    found = simulate(limit, slots, answers=100 * slots, refuses=refuses)
    assert found["rate"] >= 0.95 * slots
    assert 0.95 * slots <= limit.value <= 2 * max(slots, 64)
    assert found["refusals"] <= 100 + 0.1 * 100 * slots


def test_the_most_is_never_left():
    limit = AdaptiveLimit(most=10, first=64)
    assert limit.value == 10
    assert simulate(limit, slots=100, answers=500)["highest"] == 10


def test_an_engine_that_shrinks_is_followed_down_and_up_again():
    limit = AdaptiveLimit(most=512, first=64)
    simulate(limit, slots=256, answers=20_000, refuses=True)
    simulate(limit, slots=16, answers=2000, refuses=True)
    assert limit.value <= 24
    simulate(limit, slots=256, answers=60_000, refuses=True)
    assert limit.value >= 200


def test_a_timeout_halves_once_a_change():
    limit = AdaptiveLimit(most=512, first=64)
    epoch = limit.epoch
    for _ in range(10):
        limit.timed_out(epoch)
    assert limit.value == 32


@given(st.lists(st.tuples(st.sampled_from("art"), st.integers(1, 100), st.floats(0, 100)), max_size=200))
def test_whatever_happens_it_stays_within_its_bounds(events):
    limit = AdaptiveLimit(most=50, first=8)
    for kind, number, seconds in events:
        if kind == "a":
            limit.answered(limit.epoch, number, seconds)
        elif kind == "r":
            limit.refused(number)
        else:
            limit.timed_out(limit.epoch)
        assert 1 <= limit.value <= 50

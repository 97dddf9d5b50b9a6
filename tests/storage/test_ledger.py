"""A unit that is done is never done again, whoever did it."""

import pytest

from clsp.progress import Progress
from clsp.storage.ledger import Ledger

UNITS = [(f"{number:03d}", number) for number in range(12)]


def progress():
    return Progress("test", len(UNITS), every_seconds=1e9)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_are_in_the_order_of_units(store, workers):
    ledger = Ledger(store, "step", "key")
    results = ledger.complete(UNITS, lambda unit: {"square": unit * unit}, progress(), workers)
    assert results == [{"square": number * number} for number in range(12)]


@pytest.mark.parametrize("workers", [1, 3])
def test_after_a_crash_only_the_rest_is_done(store, workers):
    calls = []

    def work(unit):
        if unit == 7 and 7 not in calls:
            calls.append(7)
            raise RuntimeError("power cut")
        calls.append(unit)
        return {"unit": unit}

    with pytest.raises(RuntimeError):
        Ledger(store, "step", "key").complete(UNITS, work, progress(), workers)
    seen = progress()
    results = Ledger(store, "step", "key").complete(UNITS, work, seen, workers)
    assert results == [{"unit": number} for number in range(12)]
    assert all(calls.count(number) == 1 for number in range(12) if number != 7)
    assert seen.done == len(UNITS)


def test_the_first_record_of_a_unit_counts(store):
    one, two = Ledger(store, "step", "key"), Ledger(store, "step", "key")
    assert one.record("u", {"by": "one"}) == {"by": "one"}
    assert two.record("u", {"by": "two"}) == {"by": "one"}
    assert two.done() == {"u": {"by": "one"}}


def test_another_key_is_another_ledger(store):
    Ledger(store, "step", "key").record("u", {})
    assert Ledger(store, "step", "other").done() == {}

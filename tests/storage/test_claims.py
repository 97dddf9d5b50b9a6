"""Claims: one worker a unit while it lives; silence by the observer's own clock hands its units on."""

from clsp.storage.claims import Claims
from clsp.storage.ledger import Ledger, Share


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def claims(store, rank, clock, size=3):
    return Claims(store, Ledger(store, "annotate", "key"), Share(rank, size), 60.0, 10.0, clock)


def test_a_unit_is_taken_once(store):
    clock = Clock()
    with claims(store, 0, clock) as one, claims(store, 1, clock) as two:
        assert one.take("u")
        assert one.take("u")
        two.observe()
        assert not two.take("u")
        assert two.take("v")


def test_a_holder_that_falls_silent_loses_its_units_and_one_that_beats_does_not(store):
    clock = Clock()
    with claims(store, 0, clock) as one, claims(store, 1, clock) as two, claims(store, 2, clock) as three:
        assert one.take("u")
        assert two.take("v")
        three.observe()
        assert not three.take("u")
        clock.now = 9.0
        two.beat()
        three.observe()
        clock.now = 11.0
        three.observe()
        assert three.take("u")
        assert not three.take("v")
        one.observe()
        assert not one.take("u")


def test_who_leaves_hands_back_at_once(store):
    clock = Clock()
    with claims(store, 1, clock) as two:
        with claims(store, 0, clock) as one:
            assert one.take("u")
        two.observe()
        assert two.take("u")


def test_a_replacement_goes_on_with_its_own_units(store):
    clock = Clock()
    claims(store, 0, clock).take("u")
    with claims(store, 0, clock) as again, claims(store, 1, clock) as other:
        assert again.take("u")
        other.observe()
        assert not other.take("u")


def test_one_worker_alone_leaves_nothing_behind(store):
    with claims(store, 0, Clock(), size=1) as alone:
        assert alone.take("u")
    assert not list(store.list("claims/"))

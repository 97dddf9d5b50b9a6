"""An endpoint that only fails is left alone, tried once at a time, and taken back."""

from clsp.captions.breaker import Breaker


def opened(threshold=3, seconds=1.0) -> Breaker:
    breaker = Breaker(threshold, seconds)
    for _ in range(threshold):
        breaker.failed(now=0.0)
    return breaker


def test_it_opens_after_so_many_faults_in_a_row():
    breaker = Breaker(3, 1.0)
    assert not breaker.failed(0.0)
    breaker.succeeded()
    assert not breaker.failed(0.0)
    assert not breaker.failed(0.0)
    assert breaker.failed(0.0)
    assert not breaker.admits(0.5)


def test_one_trial_goes_through_and_its_success_closes():
    breaker = opened()
    assert breaker.admits(1.0)
    breaker.entered()
    assert not breaker.admits(1.0)
    breaker.succeeded()
    assert breaker.is_closed
    assert breaker.admits(1.0)


def test_a_failed_trial_doubles_the_wait():
    breaker = opened()
    breaker.entered()
    assert breaker.failed(now=1.0)
    assert not breaker.admits(2.9)
    assert breaker.admits(3.0)


def test_what_was_sent_before_it_opened_says_nothing_new():
    breaker = opened()
    assert not breaker.failed(now=0.9)
    assert breaker.admits(1.0)


def test_a_trial_that_says_nothing_lets_another_through():
    breaker = opened()
    breaker.entered()
    breaker.spared()
    assert breaker.admits(1.0)


def test_nobody_there_opens_it_at_once():
    assert Breaker(3, 1.0).failed(0.0, at_once=True)

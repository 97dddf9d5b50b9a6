"""What the states of pods and their owners mean: waiting in a queue is no waiting for a node, an end is soon told."""

from components.kubernetes.states import Admission, Ending, Idleness

FREE, HELD, HELD_TRAINING = {"spec": {}}, {"spec": {"suspend": True}}, {"spec": {"runPolicy": {"suspend": True}}}
RUNNING, PENDING = {"status": {"phase": "Running"}}, {"status": {"phase": "Pending"}}
ENDED, FAILED = {"status": {"phase": "Succeeded"}}, {"status": {"phase": "Failed"}}


def idleness():
    clock = [0.0]
    return clock, Idleness(lambda: clock[0])


def test_time_without_a_running_pod_counts():
    clock, idle = idleness()
    clock[0] = 7.0
    assert idle.seconds(FREE, [PENDING]) == 7.0
    assert idle.seconds(FREE, []) == 7.0


def test_what_a_queue_takes_does_not_count():
    for held in (HELD, HELD_TRAINING):
        clock, idle = idleness()
        clock[0] = 7200.0
        assert idle.seconds(held, []) == 0.0
        clock[0] = 7205.0
        assert idle.seconds(FREE, [PENDING]) == 5.0, "counted from when it was let in"


def test_a_pod_that_ran_starts_the_count_anew():
    clock, idle = idleness()
    clock[0] = 100.0
    assert idle.seconds(FREE, [RUNNING]) == 0.0
    clock[0] = 103.0
    assert idle.seconds(FREE, []) == 3.0


def test_only_time_since_the_last_admission_counts_toward_a_timeout():
    clock = [0.0]
    admission = Admission(lambda: clock[0])
    for held in (HELD, HELD_TRAINING):
        clock[0] += 90_000.0
        assert admission.seconds(held) == 0.0
        clock[0] += 60.0
        assert admission.seconds(FREE) == 60.0
        clock[0] += 60.0
        assert admission.seconds(FREE) == 120.0


def test_the_end_is_near_for_a_moment_after_the_last_pod_ended():
    clock = [0.0]
    ending = Ending(lambda: clock[0])
    assert not ending([])
    assert not ending([ENDED, RUNNING])
    clock[0] = 500.0
    assert ending([ENDED, FAILED])
    clock[0] = 509.0
    assert ending([ENDED, FAILED])
    clock[0] = 511.0
    assert not ending([ENDED, FAILED]), "its owner waits with the next try"
    assert not ending([ENDED, RUNNING])
    assert ending([ENDED, ENDED])

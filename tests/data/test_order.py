"""Global batches are a pure function of seed, epoch and step, whatever the world size."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.data.buckets import duration_buckets
from clsp.data.order import BatchOrder, cut, micro_batches_of
from clsp.data.permutation import Permutation
from clsp.errors import TrainingError

durations = st.lists(st.floats(1.0, 30.0), min_size=8, max_size=200)


@settings(deadline=None)
@given(size=st.integers(1, 500), key=st.text(max_size=5))
def test_permutation_is_a_bijection(size, key):
    assert sorted(Permutation(size, key)[i] for i in range(size)) == list(range(size))


def test_permutation_of_ten_million_needs_no_list():
    permutation = Permutation(10**7, "epoch 3")
    images = {permutation[i] for i in range(5_000_000, 5_000_500)}
    assert len(images) == 500
    assert all(0 <= image < 10**7 for image in images)


def test_permutation_refuses_what_is_outside():
    with pytest.raises(IndexError):
        Permutation(3, "k")[3]


@settings(deadline=None)
@given(durations, st.integers(1, 6))
def test_buckets_hold_every_clip_once_and_rise(values, count):
    buckets = duration_buckets(values, count)
    assert sorted(i for bucket in buckets for i in bucket) == list(range(len(values)))
    assert max(map(len, buckets)) - min(map(len, buckets)) <= 1
    longest = [max(values[i] for i in bucket) for bucket in buckets]
    assert longest == sorted(longest)


@settings(max_examples=40, deadline=None)
@given(durations, st.integers(1, 4), st.integers(2, 8), st.integers(0, 3))
def test_epoch_visits_clips_once_and_leaves_out_less_than_a_batch(values, count, batch, epoch):
    order = BatchOrder(duration_buckets(values, count), batch, seed=7)
    steps = range(epoch * order.epoch_steps, (epoch + 1) * order.epoch_steps)
    batches = [order.clips(step) for step in steps]
    seen = [clip for clips in batches for clip in clips]
    assert all(len(clips) == batch for clips in batches)
    assert len(set(seen)) == len(seen) > len(values) - batch
    assert {order.epoch(step) for step in steps} == {epoch}


@given(st.integers(2, 40), st.integers(1, 12), st.data())
def test_processes_share_the_same_micro_batches(clips, parts, data):
    batch = list(range(100, 100 + clips))
    count = min(parts, clips)
    pieces = [cut(batch, parts, number) for number in range(count)]
    assert [clip for piece in pieces for clip in piece] == batch
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1
    world = data.draw(st.integers(1, count))
    shares = [list(micro_batches_of(rank, world, count)) for rank in range(world)]
    assert [number for share in shares for number in share] == list(range(count))
    assert all(shares)


def test_epochs_and_seeds_differ():
    buckets = (tuple(range(40)),)
    order = BatchOrder(buckets, 8, seed=1)
    assert order.clips(0) != order.clips(order.epoch_steps)
    assert order.clips(0) != BatchOrder(buckets, 8, seed=2).clips(0)


def test_too_few_clips_are_refused():
    with pytest.raises(TrainingError, match="do not fill one global batch of 8"):
        BatchOrder(((0, 1, 2),), 8, seed=1)


def test_more_processes_than_micro_batches_are_refused():
    with pytest.raises(TrainingError, match="2 micro-batches cannot keep 3 processes busy"):
        micro_batches_of(0, 3, 2)

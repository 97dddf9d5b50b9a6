"""Global batches are a pure function of seed, epoch and step, whatever the world size."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.data.buckets import duration_buckets
from clsp.data.order import BatchOrder, rank_share
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


@settings(deadline=None)
@given(st.integers(0, 1000), st.sampled_from([1, 2, 4]))
def test_ranks_share_the_same_global_batch(step, world):
    order = BatchOrder(duration_buckets([float(i % 9) for i in range(64)], 4), 8, seed=1)
    shares = [rank_share(BatchOrder(order.buckets, 8, seed=1).clips(step), rank, world) for rank in range(world)]
    assert [clip for share in shares for clip in share] == order.clips(step)


def test_epochs_and_seeds_differ():
    buckets = (tuple(range(40)),)
    order = BatchOrder(buckets, 8, seed=1)
    assert order.clips(0) != order.clips(order.epoch_steps)
    assert order.clips(0) != BatchOrder(buckets, 8, seed=2).clips(0)


def test_too_few_clips_are_refused():
    with pytest.raises(TrainingError, match="do not fill one global batch of 8"):
        BatchOrder(((0, 1, 2),), 8, seed=1)


def test_an_uneven_share_is_refused():
    with pytest.raises(TrainingError, match="cannot be shared by 3"):
        rank_share([0, 1, 2, 3], 0, 3)

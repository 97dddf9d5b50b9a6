"""Global batches are a pure function of seed, epoch and step, whatever the world size."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.config import BatchSettings
from clsp.data.buckets import duration_buckets
from clsp.data.order import BatchOrder, cut, make_order, micro_batches_of
from clsp.data.permutation import Permutation
from clsp.errors import TrainingError

durations = st.lists(st.floats(1.0, 30.0), min_size=8, max_size=200)


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


@given(durations, st.integers(1, 6))
def test_buckets_hold_every_clip_once_and_rise(values, count):
    buckets = duration_buckets(values, count)
    assert sorted(i for bucket in buckets for i in bucket.positions) == list(range(len(values)))
    assert len(buckets) <= count
    for bucket in buckets:
        assert bucket.seconds == pytest.approx(max(values[i] for i in bucket.positions))
    assert [bucket.seconds for bucket in buckets] == sorted(bucket.seconds for bucket in buckets)


def test_buckets_hold_about_the_same_duration():
    values = np.random.default_rng(0).gamma(4.0, 2.5, 20_000).clip(1, 30)
    totals = [sum(values[i] for i in bucket.positions) for bucket in duration_buckets(values, 8)]
    assert max(totals) < 1.1 * min(totals)


@settings(max_examples=40)
@given(durations, st.integers(1, 4), st.integers(2, 8), st.integers(0, 3))
def test_epoch_visits_clips_once_and_leaves_out_less_than_a_batch(values, count, batch, epoch):
    order = make_order(values, BatchSettings(global_clips=batch, buckets=count), seed=7)
    steps = range(epoch * order.epoch_steps, (epoch + 1) * order.epoch_steps)
    batches = [order.clips(step) for step in steps]
    seen = [clip for clips in batches for clip in clips]
    assert all(len(clips) == batch for clips in batches)
    assert len(set(seen)) == len(seen) > len(values) - batch
    assert {order.epoch(step) for step in steps} == {epoch}


@settings(max_examples=40)
@given(st.lists(st.floats(1.0, 30.0), min_size=60, max_size=200), st.integers(1, 4), st.integers(0, 3))
def test_batches_by_seconds_hold_no_more_and_visit_clips_once(values, count, epoch):
    order = make_order(values, BatchSettings(global_seconds=60, buckets=count), seed=7)
    steps = range(epoch * order.epoch_steps, (epoch + 1) * order.epoch_steps)
    batches = [order.clips(step) for step in steps]
    seen = [clip for clips in batches for clip in clips]
    assert len(set(seen)) == len(seen) > len(values) - min(order.sizes)
    assert all(sum(values[clip] for clip in clips) <= 60.001 for clips in batches)


def test_batch_sizes_are_those_of_the_published_constraint():
    """floor(seconds / longest clip of the bucket): 26 clips of 30 s and 200 of 4 s a device (reference 1.5)."""
    order = make_order([4.0] * 600 + [30.0] * 80, BatchSettings(global_seconds=800, buckets=2), seed=1)
    assert order.sizes == [200, 26]


def test_resuming_far_into_a_large_epoch_is_immediate():
    durations = np.random.default_rng(0).uniform(1, 30, 10**7).astype(np.float32)
    order = make_order(durations, BatchSettings(global_clips=8, buckets=30), seed=1)
    started = time.process_time()
    clips = order.clips(10**6)
    assert time.process_time() - started < 1.0
    assert len(set(clips)) == 8
    assert sum(bucket.nbytes for bucket in order.buckets) == 4 * 10**7


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
    order = BatchOrder(buckets, (8,), seed=1)
    assert order.clips(0) != order.clips(order.epoch_steps)
    assert order.clips(0) != BatchOrder(buckets, (8,), seed=2).clips(0)


def test_too_few_clips_are_refused():
    with pytest.raises(TrainingError, match="do not fill one global batch of 8"):
        BatchOrder(((0, 1, 2),), (8,), seed=1)


def test_more_processes_than_micro_batches_are_refused():
    with pytest.raises(TrainingError, match="2 micro-batches cannot keep 3 processes busy"):
        micro_batches_of(0, 3, 2)

"""Cuts lie in pauses, pieces keep within bounds, and neither depends on blocks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.audio.segmentation import Cutting, cut_blocks, frame_levels, segment
from tests.sounds import babble

SMALL = Cutting(rate=1_000, min_seconds=1.0, max_seconds=4.0, earliest_seconds=2.0)


def test_a_recording_within_bounds_is_one_piece():
    assert segment(babble(29.9), Cutting()) == [(0, round(29.9 * 16_000))]
    assert segment(babble(0.05), Cutting()) == [(0, 800)]
    assert segment(np.zeros(0, np.float32), Cutting()) == []


def test_cuts_lie_in_pauses():
    samples = babble(200, seed=3)
    quiet = frame_levels(samples, 160) < -50
    ranges = segment(samples, Cutting())
    assert len(ranges) >= 7
    for (_, end), (start, _) in pairwise(ranges):
        assert quiet[end // 160 - 1 : start // 160 + 1].all()


def test_the_longest_pause_wins():
    samples = np.random.default_rng(0).normal(0, 0.2, 16_000 * 40).astype(np.float32)
    samples[12 * 16_000 : 12 * 16_000 + 4_000] = 0
    samples[20 * 16_000 : 21 * 16_000] = 0
    samples[25 * 16_000 : 25 * 16_000 + 6_000] = 0
    (first, second) = segment(samples, Cutting(keep_seconds=0.25))
    assert first == (0, round(20.25 * 16_000))
    assert second == (round(20.75 * 16_000), len(samples))


@settings(max_examples=150)
@given(
    bursts=st.lists(st.tuples(st.integers(1, 6_000), st.integers(0, 3_000)), min_size=1, max_size=12),
    seed=st.integers(0, 5),
    size=st.integers(1, 5_000),
)
def test_pieces_are_bounded_ordered_disjoint_and_cover_all_but_pauses(bursts, seed, size):
    rng = np.random.default_rng(seed)
    parts = [part for loud, quiet in bursts for part in (rng.normal(0, 0.2, loud), np.zeros(quiet))]
    samples = np.concatenate(parts).astype(np.float32)
    ranges = segment(samples, SMALL)
    assert ranges[0][0] == 0
    assert ranges[-1][1] == len(samples)
    for start, end in ranges:
        assert end - start <= 4_000
        assert end - start >= min(1_000, len(samples))
    for (_, end), (start, _) in pairwise(ranges):
        assert end <= start
        assert np.abs(samples[end:start]).max(initial=0) < 0.1
    in_blocks = cut_blocks((samples[first : first + size] for first in range(0, len(samples), size)), SMALL)
    assert [(piece.start, piece.start + len(piece.samples)) for piece in in_blocks] == ranges


@pytest.mark.parametrize(
    "samples", [np.zeros(100_000), np.ones(100_000), np.random.default_rng(1).normal(size=100_000)]
)
def test_without_a_pause_it_is_cut_somewhere_all_the_same(samples):
    ranges = segment(samples.astype(np.float32), SMALL)
    assert all(1_000 <= end - start <= 4_000 for start, end in ranges)
    assert sum(end - start for start, end in ranges) > 0.5 * len(samples)

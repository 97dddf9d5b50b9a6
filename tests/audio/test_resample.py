"""Resampling keeps pitch, level and length, and does not depend on how the samples arrive."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.audio.resample import resample, resample_blocks
from tests.sounds import babble, tone


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 192_000])
def test_tone_keeps_pitch_level_and_length(rate):
    low = resample(tone(1.0, rate), rate, 16_000)
    assert abs(len(low) - 16_000) <= 1
    np.testing.assert_allclose(low[1_000:15_000], tone(1.0)[1_000:15_000], atol=2e-3)


def test_what_the_target_cannot_hold_is_removed():
    low = resample(tone(1.0, 44_100, hertz=12_000), 44_100, 16_000)
    assert np.abs(low[1_000:-1_000]).max() < 1e-3


def test_the_same_rate_changes_nothing():
    samples = babble(0.5)
    np.testing.assert_array_equal(resample(samples, 16_000, 16_000), samples)


def test_nothing_in_nothing_out():
    assert resample(np.zeros(0, np.float32), 44_100, 16_000).shape == (0,)


@settings(max_examples=30)
@given(cuts=st.lists(st.integers(0, 22_050), max_size=6), rate=st.sampled_from([8_000, 22_050, 44_100]))
def test_blocks_do_not_matter(cuts, rate):
    samples = babble(1.0, 22_050)
    blocks = np.split(samples, sorted(cuts))
    joined = np.concatenate(list(resample_blocks(blocks, rate, 16_000)))
    np.testing.assert_array_equal(joined, resample(samples, rate, 16_000))

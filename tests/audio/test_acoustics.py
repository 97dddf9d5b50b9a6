"""Measures against signals whose pitch, loudness, rate and course are known by construction."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from clsp.audio.acoustics import Acoustics, measure

RATE = 16_000
FORMANTS = ((700.0, 90.0), (1_220.0, 110.0), (2_600.0, 160.0))
OPEN_VOWEL, CLOSE_VOWEL = FORMANTS, ((300.0, 60.0), (2_300.0, 120.0), (3_000.0, 160.0))


def glottal(hertz, seconds=1.0, formants=FORMANTS, dbfs=-20.0, noise=0.0, seed=0):
    """A pulse train with falling spectrum through formants; ``hertz`` is a number or a curve over the clip."""
    count = int(seconds * RATE)
    curve = np.broadcast_to(np.asarray(hertz, dtype=float), (count,))
    phase = np.cumsum(curve) / RATE
    harmonics = np.arange(1, int(7_000 / curve.max()) + 1)
    source = (np.cos(2 * np.pi * np.outer(harmonics, phase)) / harmonics[:, None]).sum(axis=0)
    source += noise * np.random.default_rng(seed).standard_normal(count)
    for centre, width in formants:
        radius = math.exp(-math.pi * width / RATE)
        source = lfilter([1.0], [1.0, -2 * radius * math.cos(2 * math.pi * centre / RATE), radius**2], source)
    return scale_to(source, dbfs)


def scale_to(samples, dbfs):
    return (samples * 10 ** (dbfs / 20) / np.sqrt(np.mean(samples**2))).astype(np.float32)


def syllables(rate, seconds=2.0, hertz=150.0, depth_db=20.0):
    """A voiced signal whose loudness has ``rate`` equal humps a second."""
    moments = np.arange(int(seconds * RATE)) / RATE
    hump = 0.5 - 0.5 * np.cos(2 * np.pi * rate * moments)
    return glottal(hertz, seconds) * (10 ** (-depth_db / 20) + hump).astype(np.float32)


def semitones(measured, true):
    return 12 * math.log2(measured / true)


@pytest.mark.parametrize("hertz", [60, 75, 110, 175, 220, 261.6, 330, 440, 523.3, 590])
def test_a_pure_tone_has_its_own_pitch(hertz):
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32) * 0.3
    assert abs(semitones(measure(tone).pitch_hz, hertz)) < 0.05


@settings(max_examples=40)
@given(
    hertz=st.floats(70, 500),
    dbfs=st.floats(-45, -12),
    formants=st.sampled_from([OPEN_VOWEL, CLOSE_VOWEL]),
    noise=st.floats(0, 0.15),
)
def test_a_voice_has_its_own_pitch_at_any_loudness(hertz, dbfs, formants, noise):
    measured = measure(glottal(hertz, formants=formants, dbfs=dbfs, noise=noise))
    assert abs(semitones(measured.pitch_hz, hertz)) < 0.25
    assert measured.voiced_share > 0.9
    assert measured.pitch_range_st < 1.0


@settings(max_examples=40)
@given(start=st.floats(90, 300), interval=st.floats(-11, 11))
def test_glides_are_followed_in_both_directions(start, interval):
    curve = start * 2 ** (np.linspace(0, interval, RATE) / 12)
    measured = measure(glottal(curve))
    # Medians of the outer thirds lie two thirds of the glide apart.
    assert measured.pitch_change_st == pytest.approx(interval * 2 / 3, abs=0.4)
    assert measured.pitch_slope_st_s == pytest.approx(interval, abs=0.6)
    assert abs(semitones(measured.pitch_end_hz / measured.pitch_start_hz, 1.0) - measured.pitch_change_st) < 1e-6


@pytest.mark.parametrize("height", [-8.0, -4.0, 4.0, 8.0])
def test_an_arch_is_told_from_a_slope(height):
    curve = 180 * 2 ** (height * np.sin(np.linspace(0, np.pi, RATE)) / 12)
    measured = measure(glottal(curve))
    assert measured.pitch_arch_st * np.sign(height) > 0.4 * abs(height)
    assert abs(measured.pitch_change_st) < 0.3


@settings(max_examples=30)
@given(dbfs=st.floats(-45, -3), hertz=st.floats(90, 300))
def test_loudness_is_the_level_of_the_speech(dbfs, hertz):
    silence = np.zeros(RATE // 2, dtype=np.float32)
    speech = glottal(hertz, dbfs=dbfs)
    assert measure(np.concatenate([silence, speech, silence])).loudness_dbfs == pytest.approx(dbfs, abs=1.0)


@settings(max_examples=20)
@given(dbfs=st.floats(-40, -12), hertz=st.floats(90, 300), rate=st.sampled_from([3.0, 5.0]))
def test_only_loudness_depends_on_the_gain(dbfs, hertz, rate):
    voice = syllables(rate, hertz=hertz)
    one, two = measure(scale_to(voice, dbfs)), measure(scale_to(voice, -25.0))
    same = replace(one, loudness_dbfs=two.loudness_dbfs)
    assert same.to_dict() == pytest.approx(two.to_dict(), rel=0.02, abs=0.05)


@pytest.mark.parametrize("change", [-12.0, -6.0, 0.0, 6.0, 12.0])
def test_a_step_of_loudness_is_measured_in_decibels(change):
    half = syllables(4.0, 1.0)
    both = np.concatenate([half, half * np.float32(10 ** (change / 20))])
    assert measure(both).loudness_change_db == pytest.approx(change, abs=1.0)


@pytest.mark.parametrize("rate", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("hertz", [90.0, 150.0, 260.0, 420.0])
def test_every_syllable_is_counted(rate, hertz):
    measured = measure(syllables(rate, hertz=hertz))
    assert measured.nuclei == 2 * rate
    assert measured.rate_hz == pytest.approx(rate, rel=0.12)


@pytest.mark.parametrize(("first", "second"), [(3, 6), (6, 3), (4, 7), (5, 5)])
def test_a_change_of_rate_is_measured_in_octaves(first, second):
    both = np.concatenate([syllables(first), syllables(second)])
    change = measure(both).rate_change
    assert np.sign(round(change, 1)) == np.sign(second - first)
    assert abs(change) <= abs(math.log2(second / first)) + 0.15


@pytest.mark.parametrize("silence_s", [0.05, 0.3, 0.6, 1.0])
def test_pauses_are_long_silences_inside_the_speech(silence_s):
    edge = np.zeros(RATE, dtype=np.float32)
    gap = np.zeros(int(silence_s * RATE), dtype=np.float32)
    voice = glottal(140.0)
    measured = measure(np.concatenate([edge, voice, gap, voice, edge]))
    assert measured.pauses == (1 if silence_s >= 0.2 else 0)
    assert measured.longest_pause_s == pytest.approx(silence_s if silence_s >= 0.2 else 0.0, abs=0.05)
    assert measured.speech_s == pytest.approx(2.0, abs=0.12)


def test_pauses_leave_the_rate_alone():
    voice, gap = syllables(4.0), np.zeros(RATE, dtype=np.float32)
    paused = measure(np.concatenate([voice, gap, voice]))
    assert paused.rate_hz == pytest.approx(measure(voice).rate_hz, rel=0.1)


def test_breath_lowers_harmonicity_step_by_step():
    ratios = [measure(glottal(150.0, noise=noise)).harmonicity_db for noise in (0.0, 0.1, 0.3, 0.6)]
    assert ratios == sorted(ratios, reverse=True)


def test_brightness_follows_the_spectrum():
    dark = measure(glottal(150.0, formants=((300.0, 60.0), (800.0, 90.0))))
    bright = measure(glottal(150.0, formants=((800.0, 60.0), (3_000.0, 90.0))))
    assert dark.centroid_hz < bright.centroid_hz
    assert dark.tilt_db < bright.tilt_db


def test_an_irregular_voice_is_rougher():
    steps = np.random.default_rng(1).normal(0, 0.04, 100).repeat(RATE // 100)
    assert measure(glottal(120 * (1 + steps))).roughness_st > 5 * measure(glottal(120.0)).roughness_st


@pytest.mark.parametrize("seconds", [0.0, 1e-4, 0.05, 0.1, 1.0])
def test_silence_and_noise_have_no_pitch(seconds):
    count = int(seconds * RATE)
    noise = np.random.default_rng(0).standard_normal(count).astype(np.float32) * 0.1
    for samples in (np.zeros(count, dtype=np.float32), noise):
        measured = measure(samples)
        assert measured.pitch_hz == 0.0
        assert measured.voiced_share == 0.0
    assert measure(np.zeros(count, dtype=np.float32)).speech_s == 0.0


@settings(max_examples=40)
@given(
    st.lists(st.floats(width=32, allow_nan=True, allow_infinity=True), max_size=40),
    st.integers(1, 200),
    st.sampled_from([8_000, 16_000, 44_100]),
)
def test_any_samples_give_finite_numbers(values, repeats, sampling_rate):
    with np.errstate(over="ignore"):
        measured = measure(np.tile(np.array(values, dtype=np.float32), repeats), sampling_rate)
    assert all(math.isfinite(value) for value in measured.to_dict().values())
    assert tuple(measured.to_dict()) == Acoustics.names()
    assert all(type(value) is float for value in measured.to_dict().values())


def test_a_short_voice_is_still_measured():
    assert measure(glottal(200.0, 0.1)).pitch_hz == pytest.approx(200.0, rel=0.01)


def test_the_sampling_rate_changes_little():
    voice = glottal(180.0, formants=((700.0, 90.0),))
    slow = np.interp(np.arange(0, len(voice), 2), np.arange(len(voice)), voice).astype(np.float32)
    assert measure(slow, 8_000).pitch_hz == pytest.approx(measure(voice).pitch_hz, rel=0.005)


def test_two_channels_are_refused():
    with pytest.raises(ValueError, match="one-dimensional"):
        measure(np.zeros((2, 100), dtype=np.float32))


def test_measuring_takes_little_of_the_clips_time():
    voice = np.tile(syllables(5.0), 3)
    measure(voice)
    start = time.process_time()
    measure(voice)
    assert time.process_time() - start < 6.0 / 30

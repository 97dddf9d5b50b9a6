"""Fundamental frequency by short-time autocorrelation and a shortest path through its candidates.

The autocorrelation of a windowed frame is divided by that of the window, so a periodic frame has a peak near 1 at its
period and at the multiples of it; a small cost an octave prefers the shortest of them, and a path through all frames
settles what a single frame leaves open (after Boersma 1993, as used for speech since).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

from clsp.audio.acoustics.frames import HOP_S, Flags, Floats, Samples, frame

LOWEST_HZ, HIGHEST_HZ = 50.0, 620.0
SEARCH_RATE = 8_000
WINDOW_S = 0.050
CANDIDATES = 6
VOICING_THRESHOLD = 0.45
OCTAVE_COST = 0.04
JUMP_COST = 0.5  # an octave between neighbouring frames
SWITCH_COST = 0.15  # between voiced and unvoiced
REGISTER_OCTAVES = 1.25  # either side of the median
SECOND_PERIOD_FROM_HZ = 180.0  # formants lie above; two periods are within reach of the lags
SECOND_PERIOD_ALLOWANCE = 0.1
LEAST_VOICED_SHARE = 0.20  # of the active frames; below it a clip has no voice
SMALLEST_ENERGY = 1e-12  # of a frame; far below the quietest active one
STRENGTH_CEILING = 0.99999


@dataclass(frozen=True, slots=True)
class PitchTrack:
    """Per frame: pitch in Hz (0 where unvoiced) and the strength of periodicity, 0 … 1."""

    hz: Floats
    strength: Floats

    @property
    def voiced(self) -> Flags:
        """Frames that have a pitch."""
        return self.hz > 0


@dataclass(frozen=True, slots=True)
class _Lags:
    shortest: int
    longest: int
    window: Floats
    window_correlation: Floats
    size: int


@cache
def _lags() -> _Lags:
    window = np.hanning(round(WINDOW_S * SEARCH_RATE) + 2)[1:-1].astype(np.float32)
    longest = int(SEARCH_RATE / LOWEST_HZ) + 2
    size = next_fast_len(len(window) + longest, real=True)
    correlation = irfft(np.abs(rfft(window, size)) ** 2, size)[: longest + 1]
    return _Lags(int(SEARCH_RATE / HIGHEST_HZ) - 1, longest, window, correlation / correlation[0], size)


def track_pitch(samples: Samples, sampling_rate: int, active: Flags) -> PitchTrack:
    """Pitch of every 10 ms frame; only frames marked active can be voiced."""
    from scipy.signal import resample_poly  # half a second, and steps that only name measures load this module too

    slow = resample_poly(samples, SEARCH_RATE, sampling_rate)
    correlation = _correlation(slow, len(active))
    hz, strength = _candidates(correlation)
    chosen = _best_path(hz, strength, active)
    rows = np.arange(len(active))
    return _without_chance(PitchTrack(hz[rows, chosen], strength[rows, chosen]), active)


def _without_chance(track: PitchTrack, active: Flags) -> PitchTrack:
    """Noise that happened to look periodic is unvoiced: far outside the clip's register, or all there is of it."""
    if track.voiced.sum() <= LEAST_VOICED_SHARE * active.sum():
        return PitchTrack(np.zeros_like(track.hz), np.zeros_like(track.strength))
    median = float(np.median(track.hz[track.voiced]))
    near = track.voiced & (np.abs(np.log2(np.where(track.voiced, track.hz, median) / median)) < REGISTER_OCTAVES)
    return PitchTrack(np.where(near, track.hz, 0.0), np.where(near, track.strength, 0.0))


def _correlation(samples: Samples, count: int) -> Floats:
    lags = _lags()
    frames = frame(samples, len(lags.window), round(HOP_S * SEARCH_RATE), count)
    frames = (frames - frames.mean(axis=1, keepdims=True)) * lags.window
    spectrum = rfft(frames, lags.size)
    correlation = irfft(spectrum.real**2 + spectrum.imag**2, lags.size)[:, : lags.longest + 1]
    energy = np.maximum(correlation[:, :1], SMALLEST_ENERGY)
    return np.asarray(correlation / energy / lags.window_correlation)


def _candidates(correlation: Floats) -> tuple[Floats, Floats]:
    """Pitch and strength (frames, CANDIDATES + 1) of the strongest peaks; column 0 is the unvoiced candidate."""
    lags = _lags()
    left, middle, right = correlation[:, :-2], correlation[:, 1:-1], correlation[:, 2:]
    peak = (middle > left) & (middle >= right) & (np.arange(1, lags.longest) >= lags.shortest)
    curvature = np.where(peak, left - 2 * middle + right, -1.0)
    shift = np.where(peak, 0.5 * (left - right) / curvature, 0.0)
    height = middle - 0.25 * (left - right) * shift
    hz = SEARCH_RATE / (np.arange(1, lags.longest) + shift)
    inside = peak & (hz >= LOWEST_HZ) & (hz <= HIGHEST_HZ)
    score = np.where(inside, height + OCTAVE_COST * np.log2(hz / LOWEST_HZ), -1.0)
    order = np.argpartition(-score, CANDIDATES, axis=1)[:, :CANDIDATES]
    found = np.take_along_axis(inside, order, axis=1)
    hz = np.where(found, np.take_along_axis(hz, order, axis=1), 0.0)
    height = np.minimum(np.take_along_axis(height, order, axis=1), _second_period(correlation, hz))
    strength = np.where(found, height, 0.0)
    nothing = np.zeros((len(hz), 1))
    return np.hstack([nothing, hz]), np.hstack([nothing, np.clip(strength, 0.0, STRENGTH_CEILING)])


def _second_period(correlation: Floats, hz: Floats) -> Floats:
    """Correlation two periods away: high for a voice, faded for noise that rings in a formant; 1 below formants."""
    lag = 2.0 * SEARCH_RATE / np.where(hz > 0, hz, HIGHEST_HZ)
    inside = hz >= SECOND_PERIOD_FROM_HZ
    left = np.where(inside, lag, 0.0).astype(np.int64)
    rows = np.arange(len(hz))[:, None]
    share = np.where(inside, lag, 0.0) - left
    between = (1.0 - share) * correlation[rows, left] + share * correlation[rows, left + 1]
    return np.where(inside, between + SECOND_PERIOD_ALLOWANCE, 1.0)


def _best_path(hz: Floats, strength: Floats, active: Flags) -> np.ndarray:
    """Index of the chosen candidate of every frame: the cheapest path (Viterbi)."""
    octave = np.log2(np.where(hz > 0, hz, LOWEST_HZ) / LOWEST_HZ)
    voiced = hz > 0
    gain = np.where(voiced, strength + OCTAVE_COST * octave, VOICING_THRESHOLD)
    gain = np.where(voiced & ~active[:, None], -1.0, gain)
    gain[:, 1:][~voiced[:, 1:]] = -2.0
    step = _transition(octave, voiced)
    back = np.zeros(hz.shape, dtype=np.int64)
    total = gain[0]
    columns = np.arange(hz.shape[1])
    for row in range(1, len(hz)):
        options = total[:, None] - step[row - 1]
        best = options.argmax(axis=0)
        back[row] = best
        total = options[best, columns] + gain[row]
    return _walk_back(back, int(total.argmax()))


def _transition(octave: Floats, voiced: Flags) -> Floats:
    """Cost (frames − 1, from, to) of following one candidate by another."""
    before, after = voiced[:-1, :, None], voiced[1:, None, :]
    jump = JUMP_COST * np.abs(octave[:-1, :, None] - octave[1:, None, :])
    return np.where(before & after, jump, np.where(before != after, SWITCH_COST, 0.0))


def _walk_back(back: np.ndarray, last: int) -> np.ndarray:
    path = np.empty(len(back), dtype=np.int64)
    path[-1] = last
    for row in range(len(back) - 1, 0, -1):
        path[row - 1] = back[row, path[row]]
    return path

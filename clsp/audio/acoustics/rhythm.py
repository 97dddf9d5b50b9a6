"""Syllable nuclei and pauses: how fast and how evenly somebody speaks.

A nucleus is a peak of the intensity envelope that stands out from the dips beside it and is voiced (after de Jong and
Wempe 2009); the rate counts them over the time of speech, so pauses do not make a speaker slow.
"""

from dataclasses import dataclass

import numpy as np

from clsp.audio.acoustics.frames import HOP_S, Flags, Floats, Samples, level_frames

SHORTEST_PAUSE_S = 0.20
SONORANT_HZ = (500.0, 3_900.0)  # where vowels stand out from voiced consonants
SMOOTHING_S = 0.010
PROMINENCE_DB = 2.0
BELOW_LOUD_DB = 25.0
SHORTEST_SYLLABLE_S = 0.07
WHISPERED_SHARE = 0.3  # voiced less than this, a nucleus need not be voiced


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Frames of the nuclei, which frames are speech (first to last active, long pauses taken out), pauses in s."""

    nuclei: np.ndarray
    speech: Flags
    pauses: Floats


def measure_rhythm(samples: Samples, sampling_rate: int, active: Flags, voiced: Flags) -> Rhythm:
    """Nuclei and pauses of one clip, on the frames of ``active``."""
    speech, pauses = _speech(active)
    return Rhythm(_nuclei(_sonority(samples, sampling_rate), voiced, speech), speech, pauses)


def _sonority(samples: Samples, sampling_rate: int) -> Floats:
    from scipy.signal import butter, sosfilt  # half a second, as in ``pitch``

    band = butter(2, SONORANT_HZ, "bandpass", fs=sampling_rate, output="sos")
    return level_frames(sosfilt(band, samples).astype(np.float32), sampling_rate).dbfs


def _speech(active: Flags) -> tuple[Flags, Floats]:
    where = np.flatnonzero(active)
    if not len(where):
        return np.zeros_like(active), np.zeros(0)
    speech = np.zeros_like(active)
    speech[where[0] : where[-1] + 1] = True
    gaps = np.diff(where) - 1
    long = gaps * HOP_S >= SHORTEST_PAUSE_S
    for start, gap in zip(where[:-1][long], gaps[long], strict=True):
        speech[start + 1 : start + 1 + gap] = False
    return speech, gaps[long] * HOP_S


def _nuclei(dbfs: Floats, voiced: Flags, speech: Flags) -> np.ndarray:
    if not speech.any():
        return np.zeros(0, dtype=np.int64)
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    floor = float(np.quantile(dbfs[speech], 0.95)) - BELOW_LOUD_DB
    envelope = gaussian_filter1d(np.maximum(dbfs, floor - 5.0), SMOOTHING_S / HOP_S)
    edged = np.concatenate([[floor - 5.0], envelope, [floor - 5.0]])
    peaks, _ = find_peaks(edged, height=floor, prominence=PROMINENCE_DB, distance=round(SHORTEST_SYLLABLE_S / HOP_S))
    peaks = peaks - 1
    peaks = peaks[speech[peaks]]
    if voiced[speech].mean() < WHISPERED_SHARE:
        return np.asarray(peaks)
    near = np.convolve(voiced, np.ones(5), mode="same") > 0
    return np.asarray(peaks[near[peaks]])

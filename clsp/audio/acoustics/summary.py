"""Robust summaries of the tracks of one clip: levels by medians and percentiles, courses by thirds.

Thirds are thirds of the frames that carry the quantity (voiced frames for pitch, active ones for loudness), so that
a silence at either end moves nothing.
"""

import numpy as np

from clsp.audio.acoustics.frames import HOP_S, Flags, Floats, Levels, mean_dbfs
from clsp.audio.acoustics.pitch import PitchTrack
from clsp.audio.acoustics.rhythm import Rhythm

REFERENCE_HZ = 100.0
FEWEST_VOICED = 5  # frames; fewer carry no course
FEWEST_ACTIVE = 9
FEWEST_INTERVALS = 4  # between nuclei, for a change of rate
MOTION_STEP = 3  # frames over which pitch movement is read, longer than the jitter of the estimate
HARMONICITY_LIMIT_DB = 40.0


def summarise_pitch(track: PitchTrack) -> dict[str, float]:
    """Level, range, movement and course of the pitch; all 0 for a clip without voicing."""
    hz = track.hz[track.voiced]
    if len(hz) < FEWEST_VOICED:
        return dict.fromkeys(_PITCH_NAMES, 0.0)
    semitones = 12.0 * np.log2(hz / REFERENCE_HZ)
    start, middle, end = (float(np.median(part)) for part in np.array_split(semitones, 3))
    low, high = np.quantile(semitones, [0.05, 0.95])
    return {
        "pitch_hz": float(np.median(hz)),
        "pitch_range_st": float(high - low),
        "pitch_motion_st_s": _motion(track),
        "pitch_start_hz": _hertz(start),
        "pitch_middle_hz": _hertz(middle),
        "pitch_end_hz": _hertz(end),
        "pitch_change_st": end - start,
        "pitch_arch_st": middle - 0.5 * (start + end),
        "pitch_slope_st_s": _slope(np.flatnonzero(track.voiced) * HOP_S, semitones),
    }


_PITCH_NAMES = (
    "pitch_hz",
    "pitch_range_st",
    "pitch_motion_st_s",
    "pitch_start_hz",
    "pitch_middle_hz",
    "pitch_end_hz",
    "pitch_change_st",
    "pitch_arch_st",
    "pitch_slope_st_s",
)


def summarise_rate(rhythm: Rhythm) -> dict[str, float]:
    """Speaking time, syllable rate over it, and the rate of the second half against the first."""
    speech_s = float(rhythm.speech.sum()) * HOP_S
    times = np.cumsum(rhythm.speech)[rhythm.nuclei] * HOP_S
    return {
        "speech_s": speech_s,
        "nuclei": float(len(times)),
        "rate_hz": len(times) / speech_s if speech_s > 0 else 0.0,
        "rate_change": _rate_change(np.diff(times)),
    }


def _rate_change(intervals: Floats) -> float:
    if len(intervals) < FEWEST_INTERVALS:
        return 0.0
    half = len(intervals) // 2
    return float(np.log2(np.mean(intervals[:half]) / np.mean(intervals[-half:])))


def summarise_loudness(levels: Levels) -> dict[str, float]:
    """Level of the active frames, its spread, and the last third against the first."""
    active = levels.dbfs[levels.active]
    measures = {"loudness_dbfs": mean_dbfs(active), "loudness_range_db": 0.0, "loudness_change_db": 0.0}
    if len(active) >= FEWEST_ACTIVE:
        low, high = np.quantile(active, [0.10, 0.95])
        first, _, last = np.array_split(active, 3)
        measures["loudness_range_db"] = float(high - low)
        measures["loudness_change_db"] = _vowel_level(last) - _vowel_level(first)
    return measures


def _vowel_level(dbfs: Floats) -> float:
    """Mean level of the louder half, so that consonants weigh little and no single vowel decides."""
    return float(np.mean(dbfs[dbfs >= np.median(dbfs)]))


def summarise_pauses(rhythm: Rhythm) -> dict[str, float]:
    """Number, share and longest of the pauses inside the speech."""
    silent = float(rhythm.pauses.sum())
    whole = silent + float(rhythm.speech.sum()) * HOP_S
    return {
        "pauses": float(len(rhythm.pauses)),
        "pause_share": silent / whole if whole > 0 else 0.0,
        "longest_pause_s": float(rhythm.pauses.max(initial=0.0)),
    }


def summarise_voice(track: PitchTrack, active: Flags) -> dict[str, float]:
    """How much of the speech is voiced, how harmonic the voice is and how irregular."""
    voiced = track.voiced
    active_frames = int(active.sum())
    return {
        "voiced_share": float((voiced & active).sum()) / active_frames if active_frames else 0.0,
        "harmonicity_db": _harmonicity(track.strength[voiced]),
        "roughness_st": _roughness(track),
    }


def _harmonicity(strength: Floats) -> float:
    if not len(strength):
        return 0.0
    periodic = np.clip(strength, 1e-4, 1.0 - 1e-4)
    return float(
        np.mean(10.0 * np.log10(periodic / (1.0 - periodic))).clip(-HARMONICITY_LIMIT_DB, HARMONICITY_LIMIT_DB)
    )


def _roughness(track: PitchTrack) -> float:
    """Mean absolute second difference of neighbouring voiced frames in semitones, single leaps capped."""
    bend = np.diff(_semitones(track.hz), 2)
    whole = track.voiced[:-2] & track.voiced[1:-1] & track.voiced[2:]
    return float(np.minimum(np.abs(bend[whole]), 1.0).mean()) if whole.any() else 0.0


def _motion(track: PitchTrack) -> float:
    semitones, voiced = _semitones(track.hz), track.voiced
    run = np.convolve(voiced, np.ones(MOTION_STEP + 1), mode="valid") > MOTION_STEP
    change = np.abs(semitones[MOTION_STEP:] - semitones[:-MOTION_STEP])[run]
    return float(np.minimum(change, 6.0).mean() / (MOTION_STEP * HOP_S)) if run.any() else 0.0


def _semitones(hz: Floats) -> Floats:
    return np.asarray(12.0 * np.log2(np.where(hz > 0, hz, REFERENCE_HZ) / REFERENCE_HZ))


def _hertz(semitones: float) -> float:
    return float(REFERENCE_HZ * 2.0 ** (semitones / 12.0))


def _slope(time: Floats, value: Floats) -> float:
    centred = time - time.mean()
    return float((centred @ value) / max(float(centred @ centred), 1e-6))

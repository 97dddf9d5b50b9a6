"""From samples to the row of measures: every part is measured on one time grid, then summed up robustly."""

import numpy as np

from clsp.audio.acoustics.frames import Samples, level_frames
from clsp.audio.acoustics.measures import Acoustics
from clsp.audio.acoustics.pitch import track_pitch
from clsp.audio.acoustics.rhythm import measure_rhythm
from clsp.audio.acoustics.spectrum import measure_spectrum
from clsp.audio.acoustics.summary import (
    summarise_loudness,
    summarise_pauses,
    summarise_pitch,
    summarise_rate,
    summarise_voice,
)

LOWEST_SAMPLING_RATE = 8_000
LOUDEST = 10.0  # 20 dB over full scale; float files exceed 1 a little, garbage by far more


def measure(samples: Samples, sampling_rate: int = 16_000) -> Acoustics:
    """Measure one mono clip of float samples in [-1, 1].

    Non-finite samples count as zero and absurd ones as LOUDEST; any length works: a silent clip gives zeros and the
    level floor.
    Raises ValueError for an array that is not one-dimensional or sampled below 8 kHz.
    """
    if sampling_rate < LOWEST_SAMPLING_RATE:
        raise ValueError(f"speech sampled at {sampling_rate} Hz cannot be measured, {LOWEST_SAMPLING_RATE} can")
    if samples.ndim != 1:
        raise ValueError(f"a mono clip is one-dimensional, this one has shape {samples.shape}")
    clean = _finite(samples)
    levels = level_frames(clean, sampling_rate)
    track = track_pitch(clean, sampling_rate, levels.active)
    rhythm = measure_rhythm(clean, sampling_rate, levels.active, track.voiced)
    return Acoustics(
        duration_s=len(samples) / sampling_rate,
        **summarise_voice(track, levels.active),
        **summarise_pitch(track),
        **summarise_rate(rhythm),
        **summarise_loudness(levels),
        **summarise_pauses(rhythm),
        **measure_spectrum(clean, sampling_rate, levels.active),
    )


def _finite(samples: Samples) -> Samples:
    clean = np.nan_to_num(samples.astype(np.float32, copy=False), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(clean, -LOUDEST, LOUDEST) if len(clean) else np.zeros(1, dtype=np.float32)

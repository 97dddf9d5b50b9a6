"""Where the energy of a voice sits in frequency: brightness."""

import math

import numpy as np
from scipy.fft import rfft

from clsp.audio.acoustics.frames import HOP_S, LEVEL_WINDOW_S, Flags, Samples, frame

LOWEST_HZ = 60.0
CORNER_HZ = 1_000.0
LIMIT_DB = 60.0


def measure_spectrum(samples: Samples, sampling_rate: int, active: Flags) -> dict[str, float]:
    """Spectral centre of gravity in Hz and energy above against below 1 kHz in dB, of the active frames.

    The long-term amplitude spectrum is used, so that loud vowels do not hide the consonants.
    """
    if not active.any():
        return {"centroid_hz": 0.0, "tilt_db": 0.0}
    hop, length = round(HOP_S * sampling_rate), round(LEVEL_WINDOW_S * sampling_rate)
    frames = frame(samples, length, hop, len(active))[active] * np.hanning(length).astype(np.float32)
    amplitude = np.abs(rfft(frames)).mean(axis=0)
    frequency = np.fft.rfftfreq(length, 1.0 / sampling_rate)
    amplitude = np.where(frequency >= LOWEST_HZ, amplitude, 0.0)
    centroid = float(np.sum(amplitude * frequency) / max(float(np.sum(amplitude)), np.finfo(np.float32).tiny))
    power = amplitude**2
    high, low = float(power[frequency >= CORNER_HZ].sum()), float(power[frequency < CORNER_HZ].sum())
    tiny = float(np.finfo(np.float32).tiny)
    tilt = 10.0 * (math.log10(max(high, tiny)) - math.log10(max(low, tiny)))
    return {"centroid_hz": centroid, "tilt_db": min(max(tilt, -LIMIT_DB), LIMIT_DB)}

"""From a plan to samples: the parts are spoken one by one, trimmed, brought to their level and joined."""

import numpy as np
from numpy.typing import NDArray

from clsp.audio.synthesis.espeak import SAMPLING_RATE, speak
from clsp.audio.synthesis.plans import ClipPlan, Part
from clsp.errors import DataError

EDGE_S = 0.03  # of quiet kept at both ends of a part
SILENCE = 0.01  # of the peak
ACTIVE_BELOW_PEAK_DB = 30.0
BLOCK = 256  # samples, about 12 ms
PEAK = 0.99


def synthesise(plan: ClipPlan) -> NDArray[np.float32]:
    """The clip of a plan: mono float32 in [-1, 1] at 22.05 kHz; equal plans give equal bytes.

    A clip that would clip is turned down as a whole. Raises DataError when a part comes out silent.
    """
    pieces: list[NDArray[np.float64]] = []
    for part in plan.parts:
        pieces.append(_spoken(part, plan.speaker.voice))
        pieces.append(np.zeros(round(part.pause_after_s * SAMPLING_RATE)))
    samples = np.concatenate(pieces)
    return np.asarray(samples * min(1.0, PEAK / float(np.abs(samples).max())), dtype=np.float32)


def _spoken(part: Part, voice: str) -> NDArray[np.float64]:
    raw = speak(
        part.text,
        voice=voice,
        words_per_minute=part.words_per_minute,
        pitch=part.pitch,
        pitch_range=part.pitch_range,
    )
    samples = _trim(raw.astype(np.float64))
    return np.asarray(samples * (10.0 ** (part.level_dbfs / 20.0) / _active_rms(samples)))


def _trim(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    loud = np.flatnonzero(np.abs(samples) > SILENCE * np.abs(samples).max(initial=1.0))
    if not len(loud):
        raise DataError("a synthetic part is silent", hint="Give every part of the plan words to say.")
    edge = round(EDGE_S * SAMPLING_RATE)
    return samples[max(0, loud[0] - edge) : loud[-1] + 1 + edge]


def _active_rms(samples: NDArray[np.float64]) -> float:
    """Root mean square over the blocks that are not far below the loudest."""
    blocks = np.pad(samples, (0, -len(samples) % BLOCK)).reshape(-1, BLOCK)
    power = np.mean(blocks**2, axis=1)
    active = power > power.max() * 10.0 ** (-ACTIVE_BELOW_PEAK_DB / 10.0)
    return float(np.sqrt(power[active].mean()))

"""Overlapping frames and their level: the time grid that every other measure is read on."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]

HOP_S = 0.010
LEVEL_WINDOW_S = 0.025
FLOOR_DBFS = -100.0
SILENT_DBFS = -70.0  # below this nothing is speech, however quiet the clip
ACTIVE_BELOW_LOUD_DB = 28.0  # frames this far under the loud ones are pauses


@dataclass(frozen=True, slots=True)
class Levels:
    """Level in dBFS of every 10 ms frame and which of the frames are active speech."""

    dbfs: Floats
    active: Flags


def frame(samples: Samples, length: int, hop: int, count: int) -> Samples:
    """Frames (count, length) centred on multiples of ``hop``; zeros stand outside of the clip."""
    before = length // 2
    after = max(0, (count - 1) * hop + length - before - len(samples))
    padded = np.pad(samples, (before, after))
    return sliding_window_view(padded, length)[: count * hop : hop]


def frame_count(samples: int, hop: int) -> int:
    """Frames of a clip: one every ``hop`` samples, at least one."""
    return max(1, samples // hop)


def level_frames(samples: Samples, sampling_rate: int) -> Levels:
    """Mean power of every frame, gated relative to the loud part of the same clip."""
    hop, length = round(HOP_S * sampling_rate), round(LEVEL_WINDOW_S * sampling_rate)
    frames = frame(samples, length, hop, frame_count(len(samples), hop)).astype(np.float64)
    power = np.einsum("ij,ij->i", frames, frames) / length
    dbfs = decibels(power)
    loud = float(np.quantile(dbfs, 0.95))
    active = dbfs > max(loud - ACTIVE_BELOW_LOUD_DB, SILENT_DBFS)
    return Levels(dbfs, active)


def decibels(power: Floats) -> Floats:
    """Power as decibels, never below the floor."""
    return np.asarray(10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DBFS / 10.0))))


def mean_dbfs(dbfs: Floats) -> float:
    """Level of the mean power of frames whose levels are given; the floor when there are none."""
    if not len(dbfs):
        return FLOOR_DBFS
    return float(decibels(np.mean(10.0 ** (dbfs / 10.0), keepdims=True))[0])

"""Waveforms as callers give them, checked: a model embeds anything of the right shape, also what is no speech at all.

Wrong scale, rate or layout would give unit vectors that look like any other, so each is refused by name.
"""

from collections.abc import Sequence
from numbers import Real

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from clsp.audio.decode import DecodeLimits
from clsp.audio.fbank import SAMPLING_RATE, frame_count
from clsp.audio.resample import resample
from clsp.errors import DataError
from clsp.model.frontend import MIN_FRAMES

Waveforms = Tensor | NDArray[np.float32] | Sequence[Tensor | NDArray[np.float32]]
# Full scale is 1 and decoders overshoot it a little; integers kept as floats go to 32,768.
LOUDEST = 128.0
_RATES = DecodeLimits()


def read_waveforms(waveforms: Waveforms, lengths: Tensor | Sequence[int] | None) -> list[Tensor]:
    """(N, T) waveforms with (N,) ``lengths`` in samples, or a list of 1-D ones, to N 1-D float32 tensors on the CPU.

    ``DataError`` names the clip that is empty, not finite, not floating point or not in [-1, 1].
    """
    return [_checked(clip, position) for position, clip in enumerate(_split(waveforms, lengths))]


def at_model_rate(clips: list[Tensor], sampling_rate: int) -> list[Tensor]:
    """The clips at 16 kHz, band-limited where they had a higher rate."""
    if sampling_rate == SAMPLING_RATE:
        return clips
    known = isinstance(sampling_rate, Real) and _RATES.min_rate <= sampling_rate <= _RATES.max_rate
    if not known or sampling_rate != int(sampling_rate):
        raise DataError(
            f"sampling rate {sampling_rate!r}",
            hint=f"give whole samples a second, {_RATES.min_rate} to {_RATES.max_rate}, say 44100",
        )
    return [torch.from_numpy(resample(clip.numpy(), int(sampling_rate), SAMPLING_RATE)) for clip in clips]


def refuse_short(clips: list[Tensor]) -> None:
    """``DataError`` for the first clip of which the speech tower would leave nothing."""
    for position, clip in enumerate(clips):
        if int(frame_count(torch.tensor(len(clip)))) < MIN_FRAMES:
            raise DataError(
                f"clip {position} lasts {len(clip) / SAMPLING_RATE:.3f} s", hint="give at least 0.1 s of speech"
            )


def _split(waveforms: Waveforms, lengths: Tensor | Sequence[int] | None) -> list[Tensor]:
    if not isinstance(waveforms, Tensor | np.ndarray | Sequence):
        raise DataError(
            f"waveforms are a {type(waveforms).__name__}", hint="give (N, T) samples or a list of 1-D arrays"
        )
    rows = [_samples(row, position) for position, row in enumerate(waveforms)]
    if any(row.ndim != 1 for row in rows):
        raise DataError(
            "waveforms must be (N, T) or a list of 1-D arrays",
            hint="put one clip into a list, and mix its channels down to one",
        )
    if lengths is None:
        return rows
    sizes = [int(length) for length in lengths]
    if len(sizes) != len(rows) or any(not 0 < size <= len(row) for size, row in zip(sizes, rows, strict=False)):
        raise DataError("lengths do not fit the waveforms", hint="give one length in samples for each row")
    return [row[:size] for row, size in zip(rows, sizes, strict=True)]


def _samples(row: object, position: int) -> Tensor:
    """A row as a tensor; numpy arrays of any byte order or stride, read-only ones too."""
    if isinstance(row, Tensor):
        return row
    array = np.asarray(row)
    if array.dtype.kind not in "biufc":
        raise DataError(f"clip {position} holds no numbers", hint="decode a file first, say by soundfile.read")
    return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))


def _checked(clip: Tensor, position: int) -> Tensor:
    if not clip.is_floating_point():
        raise DataError(f"clip {position} holds integers", hint="scale samples to [-1, 1]: int16 / 32768")
    if len(clip) == 0:
        raise DataError(f"clip {position} is empty", hint="give at least 0.1 s of speech")
    clip = clip.detach().to("cpu", torch.float32)
    low, high = clip.aminmax()
    if not bool(torch.isfinite(low) & torch.isfinite(high)):
        raise DataError(f"clip {position} holds samples that are not finite", hint="check how it was decoded")
    if max(-float(low), float(high)) > LOUDEST:
        raise DataError(f"clip {position} is not in [-1, 1]", hint="scale samples to [-1, 1]: int16 / 32768")
    return clip

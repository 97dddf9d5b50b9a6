"""Clips grouped by length, so that a batch holds clips of about one length and little padding.

The bounds are read off a histogram of durations, as equal shares of the total duration (reference 1.9), so that ten
million clips are grouped in a fraction of a second and four bytes each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BINS_PER_SECOND = 100
_BINS = 2**16


@dataclass(frozen=True)
class Bucket:
    """Positions of clips, in order, none longer than ``seconds``."""

    positions: NDArray[np.int32]
    seconds: float

    def __len__(self) -> int:
        return len(self.positions)


def duration_buckets(
    durations: Sequence[float] | NDArray[np.float32], count: int, shortest: float = 0.0, longest: float = np.inf
) -> tuple[Bucket, ...]:
    """Positions in ``durations`` (seconds), shortest first, in at most ``count`` buckets of about equal duration.

    Clips shorter than ``shortest`` or longer than ``longest`` are in none.
    """
    values = np.asarray(durations, dtype=np.float32)
    left_out = (values < shortest) | (values > longest)
    bins = _bins(values)
    histogram = np.bincount(bins[~left_out] if left_out.any() else bins, minlength=_BINS)
    number = _bucket_of_bin(histogram, count)[bins]
    number[left_out] = count
    order = np.argsort(number, kind="stable").astype(np.int32)
    positions = np.split(order, np.cumsum(np.bincount(number, minlength=count + 1))[:-1])[:count]
    return tuple(Bucket(each, float(values[each].max())) for each in positions if len(each))


def _bins(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The bin of each duration, in one array that is written over: fresh memory is what costs here."""
    scaled = np.multiply(values, np.float32(_BINS_PER_SECOND))
    np.ceil(scaled, out=scaled)
    np.clip(scaled, 0, _BINS - 1, out=scaled)
    return scaled.astype(np.uint16)


def _bucket_of_bin(histogram: NDArray[np.int64], count: int) -> NDArray[np.uint16]:
    """The bucket of each bin of the histogram: by the share of the total duration that is at most as long."""
    seconds = histogram * np.arange(_BINS, dtype=np.float64)
    before = np.cumsum(seconds) - seconds / 2
    share = before / max(seconds.sum(), 1.0)
    number: NDArray[np.uint16] = np.minimum(share * count, count - 1).astype(np.uint16)
    return number

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


def duration_buckets(durations: Sequence[float] | NDArray[np.float32], count: int) -> tuple[Bucket, ...]:
    """Positions in ``durations`` (seconds), shortest first, in at most ``count`` buckets of about equal duration."""
    values = np.asarray(durations, dtype=np.float32)
    bins = np.clip(np.ceil(values * _BINS_PER_SECOND), 0, _BINS - 1).astype(np.uint16)
    number = _bucket_of_bin(bins, count)[bins]
    order = np.argsort(number, kind="stable").astype(np.int32)
    positions = np.split(order, np.cumsum(np.bincount(number, minlength=count))[:-1])
    return tuple(Bucket(each, float(values[each].max())) for each in positions if len(each))


def _bucket_of_bin(bins: NDArray[np.uint16], count: int) -> NDArray[np.uint16]:
    """The bucket of each bin of the histogram: by the share of the total duration that is at most as long."""
    seconds = np.bincount(bins, minlength=_BINS) * np.arange(_BINS, dtype=np.float64)
    before = np.cumsum(seconds) - seconds / 2
    share = before / max(seconds.sum(), 1.0)
    number: NDArray[np.uint16] = np.minimum(share * count, count - 1).astype(np.uint16)
    return number

"""Where the relevant item of each query stands in the gallery, with ties counted and never broken by luck.

Everything that retrieval reports follows from two numbers a query: how many items score above the relevant one, and
how many others score the same. A block of queries is compared at a time, so that a large gallery fits in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clsp.errors import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

TIE = 1e-6  # cosines closer than this are equal: float32 vectors cannot tell them apart
_BLOCK_CELLS = 1 << 24  # cosines held at once, 128 MiB of float64


@dataclass(frozen=True)
class Ranks:
    """For each query: ``above``, items that score higher than the relevant one; ``tied``, others that score equal."""

    above: Integers
    tied: Integers

    def recall_at(self, k: int) -> Floats:
        """Chance that the relevant item is among the first ``k`` when ties are ordered at random."""
        return np.clip(k - self.above, 0, self.tied + 1) / (self.tied + 1)

    def precision_at(self, k: int) -> Floats:
        """Mean of 1/rank (0 beyond ``k``) over the orders of the ties: average precision of one relevant item."""
        harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, k + 1))])
        last = np.minimum(self.above + self.tied + 1, k)
        mean: Floats = (harmonic[last] - harmonic[np.minimum(self.above, k)]) / (self.tied + 1)
        return mean

    def expected(self) -> Floats:
        """Expected rank, from 1, when ties are ordered at random."""
        return self.above + 1 + self.tied / 2


def rank(queries: NDArray[Any], gallery: NDArray[Any], relevant: NDArray[Any]) -> Ranks:
    """Ranks of ``relevant`` (..., Q), gallery indices, for queries (Q, D) and a gallery (G, D) of unit norm.

    ``above`` and ``tied`` have the shape of ``relevant``. ``DataError`` when a vector is not finite.
    """
    queries, gallery = _checked(queries), _checked(gallery)
    wanted = np.atleast_2d(relevant)
    above, tied = np.empty_like(wanted), np.empty_like(wanted)
    for row, cosines in _rows(queries, gallery):
        score = cosines[wanted[:, row]]
        ordered = np.sort(cosines)
        above[:, row] = len(gallery) - np.searchsorted(ordered, score + TIE, side="right")
        tied[:, row] = len(gallery) - above[:, row] - np.searchsorted(ordered, score - TIE, side="left") - 1
    return Ranks(above.reshape(np.shape(relevant)), tied.reshape(np.shape(relevant)))


def _rows(queries: Floats, gallery: Floats) -> Iterator[tuple[int, Floats]]:
    block = max(1, _BLOCK_CELLS // max(1, len(gallery)))
    for start in range(0, len(queries), block):
        for offset, cosines in enumerate(queries[start : start + block] @ gallery.T):
            yield start + offset, cosines


def _checked(vectors: NDArray[Any]) -> Floats:
    exact = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise DataError("an embedding is not finite", hint="the model diverged: look at its loss and train it again")
    return exact

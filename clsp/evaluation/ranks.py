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
_QUERIES, _GALLERY = 1024, 16_384  # rows of a block: 128 MiB of float64 cosines at once, however many there are
_COMPARED = 16  # up to so many wanted items a query, comparing beats sorting the block


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

    ``above`` and ``tied`` have the shape of ``relevant``. Both matrices may be memory maps: a block of each is held at
    a time. ``DataError`` when a vector is not finite.
    """
    wanted = np.atleast_2d(relevant)
    above, tied = np.zeros_like(wanted), np.full_like(wanted, -1)  # the relevant item ties with itself
    for rows in _blocks(len(queries), _QUERIES):
        asked = _checked(queries[rows])
        scores = np.stack([(asked * _checked(gallery[items])).sum(axis=1) for items in wanted[:, rows]])
        for columns in _blocks(len(gallery), _GALLERY):
            higher, equal = _compare(asked @ _checked(gallery[columns]).T, scores)
            above[:, rows] += higher
            tied[:, rows] += equal
    return Ranks(above.reshape(np.shape(relevant)), tied.reshape(np.shape(relevant)))


def _compare(cosines: Floats, scores: Floats) -> tuple[Integers, Integers]:
    """Of each query's ``cosines`` (Q, G), how many are above each of its ``scores`` (S, Q), and how many equal it."""
    if len(scores) <= _COMPARED:
        higher = np.stack([(cosines > (score + TIE)[:, None]).sum(axis=1) for score in scores])
        least = np.stack([(cosines >= (score - TIE)[:, None]).sum(axis=1) for score in scores])
        return higher, least - higher
    ordered, count = np.sort(cosines, axis=1), cosines.shape[1]
    pairs = list(zip(ordered, scores.T, strict=True))
    higher = count - np.stack([np.searchsorted(row, score + TIE, side="right") for row, score in pairs], axis=1)
    least = count - np.stack([np.searchsorted(row, score - TIE, side="left") for row, score in pairs], axis=1)
    return higher, least - higher


def _blocks(count: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def _checked(vectors: NDArray[Any]) -> Floats:
    exact = np.asarray(vectors, dtype=np.float64)
    if not np.isfinite(exact).all():
        raise DataError("an embedding is not finite", hint="the model diverged: look at its loss and train it again")
    return exact

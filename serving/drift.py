"""Whether the vectors that are served still point where they used to: something that no single answer shows.

A model whose front end breaks, or whose callers begin to send silence, still answers with vectors of unit length. But
their mean grows long: they are all alike.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving import metrics

_MEMORY = 2048  # vectors after which an old one counts a third


@dataclass(eq=False)
class Drift:
    """The mean of the latest vectors of one kind, each weighing less than the one after it."""

    kind: str
    _mean: NDArray[np.float64] | None = None
    _seen: int = 0

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Count (N, D) vectors; the length of their mean is told once there are enough of them to mean something."""
        count = len(vectors)
        if self._mean is None or self._mean.shape != vectors.shape[1:]:  # a version of another dimension took over
            self._mean, self._seen = np.zeros(vectors.shape[1]), 0
        self._seen += count
        weight = count / min(self._seen, _MEMORY + count)
        self._mean += weight * (vectors.mean(axis=0, dtype=np.float64) - self._mean)
        if self._seen >= _MEMORY // 8:
            metrics.MEAN_NORM.labels(kind=self.kind).set(float(np.linalg.norm(self._mean)))

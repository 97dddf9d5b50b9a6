"""How sure a mean is: percentile bootstrap intervals over queries.

With 241 clips one hit is 0.4 %, so a difference of one per cent says nothing (reference 1.11); every headline number
therefore comes with its interval. The gallery stays fixed: the interval speaks about other queries, no more.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK_DRAWS = 1 << 22


def bootstrap(values: NDArray[Any], resamples: int, confidence: float, seed: int) -> tuple[float, float]:
    """Interval of the mean of ``values`` (N,) over ``resamples`` draws of N queries with replacement, seeded."""
    random = np.random.default_rng(seed)
    block = max(1, _BLOCK_DRAWS // len(values))
    means = [
        values[random.integers(0, len(values), (min(block, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, block)
    ]
    return central(np.concatenate(means), confidence)


def central(draws: NDArray[Any], confidence: float) -> tuple[float, float]:
    """The central ``confidence`` of ``draws``, by linear quantiles."""
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)

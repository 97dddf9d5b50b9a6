"""Statistics that labels and ratings are scored by, and their intervals over clips.

Every number comes with a percentile bootstrap interval: the zero-shot and human-rating sets are small (reference 1.11,
1.12), so a figure alone says little.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from clsp.config.evaluation import EvaluationSettings
from clsp.errors import DataError
from clsp.evaluation.intervals import central

Statistic = Callable[[NDArray[Any], NDArray[Any]], float]


@dataclass(frozen=True)
class Estimate:
    """A statistic of all clips and the interval of it over other clips."""

    value: float
    low: float
    high: float


def estimate(statistic: Statistic, a: NDArray[Any], b: NDArray[Any], settings: EvaluationSettings) -> Estimate:
    """``statistic(a, b)`` over paired rows (N,) with its bootstrap interval; draws where it is undefined are left out.

    ``DataError`` when it is undefined on the rows themselves.
    """
    value = statistic(a, b)
    if not np.isfinite(value):
        raise DataError("a statistic is undefined on these rows", hint="give clips whose labels or ratings differ")
    random = np.random.default_rng(settings.seed)
    rows = (random.integers(0, len(a), len(a)) for _ in range(settings.resamples))
    draws = np.array([statistic(a[row], b[row]) for row in rows])
    return Estimate(float(value), *central(draws[np.isfinite(draws)], settings.confidence))


def weighted_accuracy(truth: NDArray[Any], answer: NDArray[Any]) -> float:
    """WA: the share of clips whose class was named."""
    return float(np.mean(truth == answer))


def unweighted_recall(truth: NDArray[Any], answer: NDArray[Any]) -> float:
    """UAR: the mean over the classes that occur of the share of their clips that were named."""
    return float(np.mean([np.mean(answer[truth == label] == label) for label in np.unique(truth)]))


def pearson(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Linear correlation; nan where either is constant."""
    return _correlation(stats.pearsonr, a, b)


def spearman(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Rank correlation; nan where either is constant."""
    return _correlation(stats.spearmanr, a, b)


def kendall(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Kendall's tau-b; nan where either is constant."""
    return _correlation(stats.kendalltau, a, b)


def _correlation(measure: Callable[..., Any], a: NDArray[Any], b: NDArray[Any]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(measure(a, b).statistic)

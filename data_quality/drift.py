"""Drift: how far a data set is from an earlier one, by the population stability index of a number of its rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from data_quality.thresholds import ExampleThresholds

DRIFTING = ("duration_s", "caption_words")
_BINS = 10
_LEAST_SHARE = 1e-4  # an empty bin would make the index infinite


def drift_judged(limits: ExampleThresholds, name: str, here: int, there: int) -> tuple[bool, str]:
    """Whether the drift of ``here`` examples from the ``there`` of data set ``name`` is judged, and that in words."""
    least, which = limits.min_examples_for_drift, f"data set {name[:12]}"
    if not name:
        return False, "Drift is not judged: there is no data set that was accepted before."
    if not limits.max_drift:
        return False, f"Drift against {which} is not judged: examples.max_drift holds no limit."
    if min(here, there) < least:
        return False, (
            f"Drift against {which} is not judged: {here:,} examples here and {there:,} there,"
            f" of each {least:,} are needed."
        )
    return True, f"Drift is judged against {which}, of {there:,} examples."


def reference_bins(values: Any) -> tuple[list[float], list[float]]:
    """Edges of about ten bins that hold equally many of ``values``, and the share of each; two more are outside."""
    inner = np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1])
    edges = np.unique([np.min(values), *inner, np.nextafter(np.max(values), np.inf)])
    return edges.tolist(), _shares(bin_counts(values, edges)).tolist()


def bin_counts(values: Any, edges: Any) -> Any:
    """How many of ``values`` are in each bin, those below and above all ``edges`` included; counts of parts add up."""
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


def stability_index(counts: Any, shares: Sequence[float]) -> float:
    """Sum over bins of (share now - share then) x ln(now / then): 0 for equal distributions."""
    now = np.maximum(_shares(counts), _LEAST_SHARE)
    then = np.maximum(np.asarray(shares), _LEAST_SHARE)
    return float(np.sum((now - then) * np.log(now / then)))


def _shares(counts: Any) -> Any:
    return counts / max(1, counts.sum())

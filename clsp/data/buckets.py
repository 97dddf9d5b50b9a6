"""Clips grouped by length, so that a batch holds clips of about one length and little padding."""

from collections.abc import Sequence
from itertools import pairwise


def duration_buckets(durations: Sequence[float], count: int) -> tuple[tuple[int, ...], ...]:
    """Positions in ``durations`` (seconds), shortest first, in at most ``count`` buckets of equal size (± 1)."""
    ranked = sorted(range(len(durations)), key=lambda position: (durations[position], position))
    count = max(1, min(count, len(ranked)))
    bounds = [len(ranked) * number // count for number in range(count + 1)]
    return tuple(tuple(ranked[low:high]) for low, high in pairwise(bounds))

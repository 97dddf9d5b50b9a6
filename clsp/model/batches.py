"""Groups of similar length: how much padding a forward pass may hold, and in which order items go through it."""

from collections.abc import Sequence

_LEAST_SHARE = 0.8  # of the longest, that an item of the same group has: padding is computed like all else
_SMALL = 16  # a group this many times under the budget takes any item: so small a pass costs more calls than sums


def length_sorted_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Positions grouped, longest first, so that each group's padded size (longest × count) is within ``budget``.

    A group ends early where the next item is much shorter. An item longer than the budget goes alone.
    """
    batches: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batches and _joins(lengths[position], lengths[batches[-1][0]], len(batches[-1]), budget):
            batches[-1].append(position)
        else:
            batches.append([position])
    return batches


def _joins(length: int, longest: int, count: int, budget: int) -> bool:
    alike = length >= _LEAST_SHARE * longest or longest * count < budget / _SMALL
    return alike and longest * (count + 1) <= budget

"""Groups of similar length: how much padding a forward pass may hold, and in which order items go through it."""

from collections.abc import Sequence


def length_sorted_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Positions grouped, longest first, so that each group's padded size (longest × count) is within ``budget``.

    An item longer than the budget goes alone.
    """
    batches: list[list[int]] = []
    for position in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(position)
        else:
            batches.append([position])
    return batches

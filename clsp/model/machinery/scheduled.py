"""Numbers that follow the training's progress: high while weights are raw, low once they have settled."""

from itertools import pairwise

from torch import nn

Points = tuple[tuple[float, float], ...]


class ScheduledFloat(nn.Module):
    """Linear between (batch counter, value) points, flat outside; before a counter is set it is the last value.

    A module, so that the counter finds it; it has no state. Source: reference 3.7.
    """

    def __init__(self, *points: tuple[float, float]) -> None:
        super().__init__()
        self.points = tuple(sorted(points))
        self.batch_count: float | None = None

    @classmethod
    def of(cls, value: "float | Points") -> "ScheduledFloat":
        """A number that stays, or one that follows ``value``'s points."""
        return cls((0.0, value)) if isinstance(value, int | float) else cls(*value)

    @property
    def value(self) -> float:
        """The number at the present counter."""
        count = self.batch_count
        if count is None or count >= self.points[-1][0]:
            return self.points[-1][1]
        for (left, low), (right, high) in pairwise(self.points):
            if left <= count < right:
                return low + (high - low) * (count - left) / (right - left)
        return self.points[0][1]


def falling(start: float, end: float, batches: float) -> Points:
    """From ``start`` at the beginning to ``end`` after ``batches``."""
    return (0.0, start), (batches, end)

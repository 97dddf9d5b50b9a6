"""Balancer: keeps each channel's sign balance and loudness within bounds, by a small push on the gradient."""

import math

from torch import Tensor

from clsp.model.machinery.edits import GradientEdit
from clsp.model.machinery.scheduled import Points, ScheduledFloat, falling

GRADIENT_SCALE = 0.04
SHARE = falling(0.5, 0.125, 8000)
SMALLEST = 1e-20


class Balancer(GradientEdit):
    """Adds |gradient| × the normalised gradient of |m − clip(m)| + |ln(clip(rms) / rms)| per channel, m = mean / std.

    ``positive`` bounds the share of positive values, ``absolute`` the mean absolute value of a channel, as if
    values were normal; ``channel`` is the channels' dimension. Source: reference 3.17.
    """

    def __init__(
        self,
        positive: tuple[float | Points, float | Points],
        absolute: tuple[float | Points, float | Points],
        p: float | Points = SHARE,
        channel: int = -1,
    ) -> None:
        super().__init__(p)
        self.min_positive, self.max_positive = (ScheduledFloat.of(bound) for bound in positive)
        self.min_absolute, self.max_absolute = (ScheduledFloat.of(bound) for bound in absolute)
        self.channel = channel

    def edit(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Per channel, with the statistics of all its values."""
        dims = [dim for dim in range(x.ndim) if dim != self.channel % x.ndim]
        mean, square = x.mean(dims, keepdim=True), x.square().mean(dims, keepdim=True).clamp(min=SMALLEST)
        std, rms = (square - mean**2).clamp(min=SMALLEST).sqrt(), square.sqrt()
        ratio = mean / std
        off_ratio = (ratio - ratio.clamp(_ratio(self.min_positive.value), _ratio(self.max_positive.value))).sign()
        off_rms = (rms - rms.clamp(_rms(self.min_absolute.value), _rms(self.max_absolute.value))).sign()
        # Both derivatives are affine in x, so the push is too.
        push = off_ratio / std * (1 + ratio * mean / std) + (off_rms / square - off_ratio * ratio / std**2) * x
        push_rms = push.square().mean(dims, keepdim=True).sqrt().clamp(min=SMALLEST)
        return gradient + gradient.abs() * push * (GRADIENT_SCALE / push_rms)


def _ratio(share: float) -> float:
    """Mean / std of values of which ``share`` is positive."""
    if share in (0.0, 1.0):
        return math.copysign(math.inf, share - 0.5)
    return 0.8139535 * math.atanh(2 * share - 1)


def _rms(absolute: float) -> float:
    """Root mean square of normal values of that mean absolute value."""
    return 1.2533141 * absolute

"""Bypass: a learned blend, per channel, of what entered a block and what left it."""

import torch
from torch import Tensor, nn

from clsp.model.machinery import Points, ScheduledFloat, SequenceSkip, Switched, falling, limit_parameter


class Bypass(Switched):
    """entered + (left − entered) · scale; while training, a share `skip` of clips passes unchanged.

    With gradient edits on, scales are kept from leaving [0.9 → 0.2, 1], so that no block is bypassed before it
    could learn (reference 3.17).
    """

    def __init__(self, channels: int, skip: float | Points = 0.0) -> None:
        super().__init__()
        self.bypass_scale = nn.Parameter(torch.full((channels,), 0.5))
        self.skip = SequenceSkip(skip)
        self.lowest = ScheduledFloat(*falling(0.9, 0.2, 20_000))

    def forward(self, entered: Tensor, left: Tensor) -> Tensor:
        """Both (N, T, C)."""
        scale: Tensor = self.bypass_scale
        if self.active and self.training:
            scale = limit_parameter(scale, self.lowest.value, 1.0)
        dtype = torch.promote_types(entered.dtype, left.dtype)  # they differ under autocast
        kept = self.skip.mask(entered)
        scale = scale if kept is None else scale * kept
        return torch.lerp(entered.to(dtype), left.to(dtype), scale.to(dtype))

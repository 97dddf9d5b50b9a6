"""Bypass: a learned blend, per channel, of what entered a block and what left it."""

import torch
from torch import Tensor, nn

from clsp.model.masking import kept_clips


class Bypass(nn.Module):
    """entered + (left − entered) · scale; while training, a share `skip` of clips passes unchanged."""

    def __init__(self, channels: int, skip: float = 0.0) -> None:
        super().__init__()
        self.bypass_scale = nn.Parameter(torch.full((channels,), 0.5))
        self.skip = skip

    def forward(self, entered: Tensor, left: Tensor) -> Tensor:
        """Both (N, T, C)."""
        scale: Tensor = self.bypass_scale
        if self.training and self.skip > 0.0:
            scale = scale * kept_clips(entered, self.skip)
        dtype = torch.promote_types(entered.dtype, left.dtype)  # they differ under autocast
        return torch.lerp(entered.to(dtype), left.to(dtype), scale.to(dtype))

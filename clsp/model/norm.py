"""BiasNorm: the one normalisation of a Zipformer, which keeps a little of each frame's length."""

from typing import Any

import torch
from torch import Tensor, nn

from clsp.model.machinery import Switched, limit_parameter


class BiasNorm(Switched):
    """y = x · exp(log_scale) / RMS over channels of (x − bias), for (…, C). Source: reference 3.11."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.randn(channels) * 1e-4)

    def forward(self, x: Tensor) -> Tensor:
        """Scale each frame; the bias only enters the measured length."""
        log_scale: Tensor = self.log_scale
        if self.active and self.training:
            log_scale = limit_parameter(log_scale, -1.5, 1.5)
        if not torch.is_grad_enabled():
            return x * _scale(x, self.bias, log_scale)
        normed: Tensor = _BiasNorm.apply(x, self.bias, log_scale)  # type: ignore[no-untyped-call]
        return normed


class _BiasNorm(torch.autograd.Function):
    """Keeps x alone for the way back, where autograd would keep its difference from the bias too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor, log_scale: Tensor) -> Tensor:
        scale = _scale(x, bias, log_scale)
        ctx.save_for_backward(x, bias, log_scale, scale)
        return x * scale

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, bias, log_scale, scale = ctx.saved_tensors
        along = (gradients[0] * x).sum(dim=-1, keepdim=True).mul_(scale)
        # d scale / d x = −scale · (x − bias) / length²
        inward = (x - bias).mul_(along * (scale / log_scale.exp()).square_() / x.shape[-1])
        return (gradients[0] * scale).sub_(inward), inward.flatten(0, -2).sum(dim=0), along.sum()


def _scale(x: Tensor, bias: Tensor, log_scale: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x - bias, dim=-1, keepdim=True)
    scale: Tensor = log_scale.exp() * x.shape[-1] ** 0.5 / length
    return scale

"""BiasNorm: the one normalisation of a Zipformer, which keeps a little of each frame's length."""

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
        length: Tensor = torch.linalg.vector_norm(x - self.bias, dim=-1, keepdim=True)
        scale: Tensor = log_scale.exp() * x.shape[-1] ** 0.5 / length
        return x * scale

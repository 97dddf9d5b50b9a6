"""BiasNorm: the one normalisation of a Zipformer, which keeps a little of each frame's length."""

import torch
from torch import Tensor, nn


class BiasNorm(nn.Module):
    """y = x · exp(log_scale) / RMS over channels of (x − bias), for (…, C). Source: reference 3.11."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.randn(channels) * 1e-4)

    def forward(self, x: Tensor) -> Tensor:
        """Scale each frame; the bias only enters the measured length."""
        length: Tensor = torch.linalg.vector_norm(x - self.bias, dim=-1, keepdim=True)
        scale: Tensor = self.log_scale.exp() * x.shape[-1] ** 0.5 / length
        return x * scale

"""Linear layers that start small, so that a fresh layer of the encoder is close to doing nothing.

ScaledAdam moves tensors relative to their size: starting values must be small, yet never zero (reference 3.1).
"""

from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", nn.Linear, nn.Conv2d)


@torch.no_grad()
def shrink(module: Module, scale: float) -> Module:
    """Scale default weights by `scale` and draw biases from ±0.1·scale (reference 3.16)."""
    module.weight.mul_(scale)
    if module.bias is not None:
        nn.init.uniform_(module.bias, -0.1 * scale, 0.1 * scale)
    return module


def scaled_linear(inputs: int, outputs: int, scale: float, *, bias: bool = True) -> nn.Linear:
    """Linear layer with shrunken starting values."""
    return shrink(nn.Linear(inputs, outputs, bias=bias), scale)

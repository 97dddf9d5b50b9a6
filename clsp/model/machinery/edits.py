"""Identities whose backward pass edits the gradient: how the published training polices activations and weights.

Whether an edit acts at a step is drawn from the step's own random numbers, in every forward pass alike, so that a
pass that is repeated draws the same.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from clsp.model.machinery.scheduled import Points, ScheduledFloat

Edit = Callable[[Tensor, Tensor], Tensor]
LIMITED_SHARE = 0.6


class Switched(nn.Module):
    """A module some of whose work is done only where training was asked for the published machinery."""

    active = False


class GradientEdit(Switched):
    """Identity that, while training and switched on, edits the gradient with probability ``p``."""

    def __init__(self, p: float | Points) -> None:
        super().__init__()
        self.p = ScheduledFloat.of(p)

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return edited(x, self.edit) if self.acts() else x

    def acts(self) -> bool:
        """Whether it edits this time, which is drawn."""
        return self.active and self.training and float(torch.rand(())) < self.p.value

    def edit(self, x: Tensor, gradient: Tensor) -> Tensor:
        """The new gradient of x, in float32."""
        raise NotImplementedError


def edited(x: Tensor, edit: Edit) -> Tensor:
    """x, whose gradient will be ``edit(x, gradient)``."""
    same: Tensor = _Edited.apply(x, edit)  # type: ignore[no-untyped-call]
    return same


def limit_parameter(weight: Tensor, low: float, high: float) -> Tensor:
    """``weight``; six times in ten, gradients that would push it further out of [low, high] change sign."""
    if float(torch.rand(())) >= LIMITED_SHARE:
        return weight

    def turn_back(values: Tensor, gradient: Tensor) -> Tensor:
        outward = ((values < low) & (gradient > 0)) | ((values > high) & (gradient < 0))
        return torch.where(outward, -gradient, gradient)

    return edited(weight, turn_back)


def scale_gradient(x: Tensor, factor: float) -> Tensor:
    """x, whose gradient is scaled."""
    return edited(x, lambda _, gradient: gradient * factor)


class _Edited(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, edit: Edit) -> Tensor:
        ctx.save_for_backward(x)
        ctx.edit = edit
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        new: Tensor = ctx.edit(x.float(), gradients[0].float())
        return new.to(gradients[0].dtype), None

"""Whiten: keeps the channels of an activation from saying all the same, by a push on the gradient."""

import torch
from torch import Tensor

from clsp.model.machinery.edits import GradientEdit
from clsp.model.machinery.scheduled import Points, ScheduledFloat

# The published code looks this often while a limit is exceeded and ten times less else, remembering which per
# module; without that memory a step depends on nothing but its own number and weights.
SHARE = 0.25
SMALLEST = 1e-20


class Whiten(GradientEdit):
    """Adds the gradient of the whitening metric of (…, C), scaled to a share of the gradient, where over ``limit``.

    The metric is 1 for white channels and rises as few directions carry all variance; C is split into ``groups``.
    Source: reference 3.17.
    """

    def __init__(self, limit: float | Points, share: float = 0.01, groups: int = 1, channel: int = -1) -> None:
        super().__init__(SHARE)
        self.limit = ScheduledFloat.of(limit)
        self.share = share
        self.groups = groups
        self.channel = channel

    def edit(self, x: Tensor, gradient: Tensor) -> Tensor:
        """Unchanged where the channels are white enough."""
        rows = x.movedim(self.channel, -1)
        grouped = rows.reshape(-1, self.groups, rows.shape[-1] // self.groups).transpose(0, 1)
        centred = grouped - grouped.mean(dim=1, keepdim=True)
        covariance = centred.transpose(1, 2) @ centred / centred.shape[1]
        mean_diagonal = covariance.diagonal(dim1=1, dim2=2).mean()
        metric = whitening_metric(covariance)
        push = centred @ covariance - centred * (metric * mean_diagonal)
        push = push.transpose(0, 1).reshape(rows.shape).movedim(-1, self.channel)
        scale = self.share * gradient.norm() / (push.norm() + SMALLEST)
        return gradient + push * torch.where(metric > self.limit.value, scale, 0.0)


def whitening_metric(covariance: Tensor) -> Tensor:
    """(groups, c, c) covariances to one number ≥ 1."""
    channels = covariance.shape[0] * covariance.shape[1]
    mean_diagonal = covariance.diagonal(dim1=1, dim2=2).mean()
    return covariance.square().sum() / channels / (mean_diagonal**2 + SMALLEST)

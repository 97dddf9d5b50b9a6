"""Turning the machinery on, and telling it how far training is."""

from torch import nn

from clsp.model.machinery.edits import Switched
from clsp.model.machinery.scheduled import ScheduledFloat


def switch_edits(model: nn.Module, *, on: bool) -> None:
    """Let the gradient edits of a model act while it trains, or none of them."""
    for module in model.modules():
        if isinstance(module, Switched):
            module.active = on


def set_batch_count(model: nn.Module, count: float) -> None:
    """Set every schedule of a model to ``count``, the published batch counter (reference 1.5)."""
    for module in model.modules():
        if isinstance(module, ScheduledFloat):
            module.batch_count = count

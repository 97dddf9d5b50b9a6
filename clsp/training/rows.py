"""One row of the progress table: what the report plots. It holds no times, so that equal runs have equal tables."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ProgressRow:
    """One step: the mean loss over all ranks, of the task trained; ``scale`` is exp(logit_scale) = 1 / temperature.

    ``task``: fine (stage 1), global_and_fine or two_fine (stage 2). ``task_probability``: p of global_and_fine at this
    step, 0 at stage 1. ``grad_norm``: 2-norm of the averaged gradient. ``skipped``: steps skipped so far.
    """

    stage: str
    step: int
    epoch: int
    task: str
    loss: float
    scale: float
    task_probability: float
    lr: float
    grad_norm: float
    clip_factor: float
    skipped: int


def progress_row(values: Mapping[str, Any]) -> ProgressRow:
    """A row from its JSON, where a loss that was not finite is null."""
    known: dict[str, Any] = {name: math.nan if value is None else value for name, value in values.items()}
    return ProgressRow(**known)

"""Gradient clipping against the recent past: a group's norm is judged by the median of its own last norms.

A fixed threshold would have to be found anew for every model size; the median follows the run.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

TINY = 1e-20


@dataclass(frozen=True)
class GradientClipper:
    """Clips at `scale` × the median of the last `period` norms (reference 3.2), without waiting for the device.

    The published code lets non-finite gradients through before the first threshold is known; here such a step
    is refused from the start, since one of them ends a run.
    """

    scale: float
    period: int

    def factor(self, state: dict[str, Any], norm: Tensor) -> Tensor:
        """Factor in [0, 1] for gradients of this norm; `state` keeps the ring of norms and the threshold."""
        if "clip_norms" not in state:
            state["clip_step"] = 0
            state["clip_norms"] = norm.new_zeros(self.period)
            state["clip_threshold"] = torch.full_like(norm, torch.inf)
        step = state["clip_step"]
        state["clip_step"] = step + 1
        state["clip_norms"][step % self.period] = norm
        if step and step % self.period == 0:
            state["clip_threshold"] = self._threshold(state["clip_norms"])
        factor = (state["clip_threshold"] / (norm + TINY)).clamp(max=1.0)
        factor = torch.where(norm.isfinite(), factor, 0.0)
        state["clip_factor"] = factor
        return factor

    def _threshold(self, norms: Tensor) -> Tensor:
        """Multiple of the median, or of the maximum where most norms were zero; none where all were."""
        median = norms.sort().values[self.period // 2]
        typical = torch.where(median == 0, norms.max(), median) * self.scale
        return torch.where(typical.isfinite() & (typical > 0), typical, torch.inf)

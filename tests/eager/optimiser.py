"""ScaledAdam as one reads it in reference 3.1-3.2: tensor by tensor, operation by operation."""

import statistics

import torch
from torch import Tensor


class PerTensorScaledAdam:
    """The published update with the published defaults, for one group of tensors."""

    def __init__(self, params, lr, clipping_scale=None):
        self.params = [param for param in params if param.requires_grad]
        self.lr, self.clipping_scale, self.t = lr, clipping_scale, 0
        self.norms: list[float] = []
        self.threshold = float("inf")
        self.states = [self._fresh(param.detach()) for param in self.params]

    @staticmethod
    def _fresh(p: Tensor) -> dict:
        zero = torch.zeros(())
        state = {"delta": torch.zeros_like(p), "v": torch.zeros_like(p), "r": p.square().mean().sqrt(), "u": zero}
        return state | {"g": [zero] * 4}

    @torch.no_grad()
    def step(self) -> None:
        factor = self._factor() if self.clipping_scale else 1.0
        for p, state in zip(self.params, self.states, strict=True):
            g = torch.zeros_like(p) if p.grad is None else p.grad * factor
            state["delta"] = state["delta"] * 0.9
            (self._scalar if p.numel() == 1 else self._tensor)(p, g, state)
        self.t += 1

    def _factor(self) -> float:
        squares = 0.0
        for p, state in zip(self.params, self.states, strict=True):
            if p.grad is not None:
                squares += float(((p.grad if p.numel() == 1 else p.grad * state["r"]) ** 2).sum())
        norm = squares**0.5
        self.norms = [*self.norms, norm][-100:]
        if self.t and self.t % 100 == 0:
            self.threshold = self.clipping_scale * statistics.median_high(self.norms)
        return min(1.0, self.threshold / (norm + 1e-20))

    def _scalar(self, p: Tensor, g: Tensor, state: dict) -> None:
        state["v"] = 0.98 * state["v"] + 0.02 * g**2
        second = state["v"] / (1 - 0.98 ** (self.t + 1))
        state["delta"] = state["delta"] - self.lr * 0.1 * 0.1 * g / (second.sqrt() + 1e-8)
        p.copy_(p.clamp(-10, 10) + state["delta"])

    def _tensor(self, p: Tensor, g: Tensor, state: dict) -> None:
        state["g"][self.t % 4] = (p * g).sum()
        if self.t % 4 == 3:
            state["r"] = (p**2).mean().sqrt()
            ring = torch.stack(state["g"])
            beta2 = 0.98**4
            state["u"] = beta2 * state["u"] + (1 - beta2) * (ring**2).mean()
            correction = (1 - beta2 ** ((self.t + 1) // 4)) ** 0.5
            size = -self.lr * 0.1 * correction * ring.sum() / (state["u"].sqrt() + 1e-8)
            size = torch.where(state["r"] < 1e-5, 0.0, size)
            size = torch.minimum(size, (3.0 - state["r"]) / state["r"])
            state["delta"] = state["delta"] + 0.1 * size * p
        state["v"] = 0.98 * state["v"] + 0.02 * g**2
        correction = 1 - 0.98 ** (self.t + 1)
        second = state["v"] / correction if correction < 0.99 else state["v"]
        rate = self.lr * 0.1 * state["r"].clamp(min=1e-5)
        state["delta"] = state["delta"] - rate * g / (second.sqrt() + 1e-8)
        p.copy_(p + state["delta"])

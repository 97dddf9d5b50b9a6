"""Tensors of one shape as rows of one stack, whose update is a few large operations instead of many small ones.

A Zipformer has hundreds of tensors of a few dozen shapes: a step of each costs more in calls than in sums, and its
temporaries more in page faults. State lives in the stack while every tensor's own state is a view of its rows, so
what is saved does not depend on how tensors were grouped. On a CPU an update runs in blocks that stay in its cache.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CPU_BLOCK = 2**17
DEVICE_BLOCK = 2**26

State = dict[str, Any]


@dataclass(frozen=True)
class Rates:
    """The numbers of one step, alike for all tensors of a group (names of reference 3.1)."""

    lr: float
    betas: tuple[float, float]
    scalar_lr_scale: float
    eps: float
    param_min_rms: float
    param_max_rms: float
    scalar_max: float
    size_update_period: int


class Stack:
    """k tensors of n elements with what is remembered of them: rows of (k, n), (k,) and (k, period) tensors."""

    def __init__(self, params: Sequence[Tensor], states: Sequence[State], period: int) -> None:
        self.params = list(params)
        self.size = params[0].numel()
        self.step = int(states[0].get("step", 0))
        count, like = len(params), params[0].detach()
        self.delta = like.new_zeros(count, self.size)
        self.second = like.new_zeros(count, self.size)
        self.rms = torch.stack([_rms(param.detach()) for param in params])
        self.size_second = like.new_zeros(count)
        self.size_gradients = like.new_zeros(count, period)
        for row, state in enumerate(states):
            self._adopt(row, state)
        self.changes = [state["delta"] for state in states]

    @property
    def is_scalar(self) -> bool:
        return self.size == 1

    def _adopt(self, row: int, state: State) -> None:
        """Take over what a tensor's state says and make it a view of this stack."""
        shape = self.params[row].shape
        views = {"delta": self.delta[row].view(shape), "exp_avg_sq": self.second[row].view(shape)}
        if not self.is_scalar:
            views |= {"param_rms": self.rms[row], "scale_exp_avg_sq": self.size_second[row]}
            views["scale_grads"] = self.size_gradients[row]
        for name, view in views.items():
            if name in state:
                view.copy_(state[name])
        state |= views

    def norms(self, norms: Tensor) -> Tensor:
        """(k,) norms of gradients, each relative to the size of its tensor."""
        return norms if self.is_scalar else norms * self.rms

    def update(self, rates: Rates, gradients: Sequence[Tensor], factor: Tensor | None) -> None:
        """One step of every tensor; gradients are scaled by ``factor``, which is 0 where they are not finite."""
        step = self._step_scalars if self.is_scalar else self._step_rows
        for rows in self._units():
            step(rates, rows, gradients[rows], factor)
        self.step += 1

    def _units(self) -> Iterator[slice]:
        """Rows that are updated together."""
        count = max(1, self._block // self.size)
        return (slice(start, start + count) for start in range(0, len(self.params), count))

    @property
    def _block(self) -> int:
        return CPU_BLOCK if _is_at_hand(self.delta) else DEVICE_BLOCK

    def _step_rows(self, rates: Rates, rows: slice, gradients: Sequence[Tensor], factor: Tensor | None) -> None:
        params = self.params[rows]
        values, gradient = _flat([param.detach() for param in params]), _flat(gradients)
        are_views = values.data_ptr() == params[0].data_ptr()
        noted = self.size_gradients[rows, self.step % rates.size_update_period].zero_()
        change = None
        if (self.step + 1) % rates.size_update_period == 0:
            noted += _clipped(_dot(values, gradient), factor)
            change = self._learn_size(rates, rows, values)
        speed = self.rms[rows, None].clamp(min=rates.param_min_rms) * (-rates.lr * (1 - rates.betas[0]))
        for columns in _columns(self.size, self._block):
            value, clipped = values[:, columns], _clipped(gradient[:, columns], factor)
            delta = self.delta[rows, columns].mul_(rates.betas[0])
            if change is None:
                noted += _dot(value, clipped)
            else:
                delta.addcmul_(value, change)
            _add_scaled(delta, clipped, self._root(rates, rows, columns, clipped), speed)
            if are_views:
                value += delta
        if not are_views:
            torch._foreach_add_(params, self.changes[rows])

    def _root(self, rates: Rates, rows: slice, columns: slice, gradient: Tensor) -> Tensor:
        """Update the second moments and give their roots, corrected for the first steps."""
        beta2 = rates.betas[1]
        root = self.second[rows, columns].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2).sqrt()
        correction = 1 - beta2 ** (self.step + 1)
        if correction < 0.99:
            root.mul_(correction**-0.5)
        return root.add_(rates.eps)

    def _learn_size(self, rates: Rates, rows: slice, values: Tensor) -> Tensor:
        """(rows, 1) what to add of each tensor to its momentum, from the gradients of its size noted of late."""
        period, slots = rates.size_update_period, self.size_gradients[rows]
        rms = self.rms[rows].copy_((_dot(values, values) / self.size).sqrt())
        beta2 = rates.betas[1] ** period
        second = self.size_second[rows].mul_(beta2).add_(slots.square().mean(dim=1), alpha=1 - beta2)
        correction = (1 - beta2 ** ((self.step + 1) // period)) ** 0.5
        change = slots.sum(dim=1).mul_(-rates.lr * rates.scalar_lr_scale * correction) / (second.sqrt() + rates.eps)
        change = torch.where(rms < rates.param_min_rms, 0.0, change)
        change = torch.minimum(change, (rates.param_max_rms - rms) / rms)
        return change[:, None] * (1 - rates.betas[0])

    def _step_scalars(self, rates: Rates, rows: slice, gradients: Sequence[Tensor], factor: Tensor | None) -> None:
        beta1, beta2 = rates.betas
        gradient = _clipped(_flat(gradients), factor)
        second = self.second[rows].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (second / (1 - beta2 ** (self.step + 1))).sqrt_().add_(rates.eps)
        lr = rates.lr * rates.scalar_lr_scale
        self.delta[rows].mul_(beta1).addcdiv_(gradient, root, value=-lr * (1 - beta1))
        torch._foreach_clamp_min_(self.params[rows], -rates.scalar_max)
        torch._foreach_clamp_max_(self.params[rows], rates.scalar_max)
        torch._foreach_add_(self.params[rows], self.changes[rows])


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    """(r, n) of r tensors; a single one is not copied."""
    return tensors[0].reshape(1, -1) if len(tensors) == 1 else torch.stack(list(tensors)).view(len(tensors), -1)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """(r,) inner products of the rows of (r, n) and (r, n)."""
    return torch.linalg.vecdot(one, other) if len(one) > 1 else torch.dot(one[0], other[0])[None]


def _clipped(gradient: Tensor, factor: Tensor | None) -> Tensor:
    """Scaled by ``factor``; zero removes also what is not finite."""
    if factor is None or (_is_at_hand(factor) and factor == 1):  # as in most steps
        return gradient
    return torch.where(factor > 0, gradient * factor, 0.0)


def _add_scaled(delta: Tensor, gradient: Tensor, root: Tensor, speed: Tensor) -> None:
    """Add ``speed`` (r, 1) * gradient / root to ``delta``, all (r, n)."""
    if len(speed) == 1 and _is_at_hand(speed):  # saves a temporary
        delta.addcdiv_(gradient, root, value=float(speed))
    else:
        delta.addcdiv_(gradient * speed, root)


def _is_at_hand(tensor: Tensor) -> bool:
    """Whether its values can be looked at without waiting for a device."""
    return tensor.device.type == "cpu"


def _columns(size: int, block: int) -> Iterator[slice]:
    return (slice(start, start + block) for start in range(0, size, block))


def _rms(tensor: Tensor) -> Tensor:
    return tensor.square().mean().sqrt()

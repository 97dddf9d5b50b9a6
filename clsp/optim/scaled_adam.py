"""ScaledAdam: Adam whose step is relative to each tensor's own size, and that also learns that size.

Written from reference 3.1-3.2, the variant CLSP was trained with. Tensors of equal shape are stacked and updated
together, because a Zipformer has hundreds of small ones and a step of each costs more in calls than in sums.
Nothing here waits for the device: clipping factors stay tensors.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from clsp.optim.clipping import GradientClipper

Group = dict[str, Any]


class ScaledAdam(Optimizer):
    """Optimiser of tensors or of groups of tensors, each group with its own `lr` if it carries one.

    lr: relative change of a tensor a step. betas: decay of momentum and of the second moments.
    scalar_lr_scale: lr of tensor sizes and of one-element tensors, relative to lr. param_min_rms,
    param_max_rms: bounds within which sizes are learned. scalar_max: bound on one-element tensors.
    size_update_period: steps between updates of the sizes. clipping_scale: clip the gradients of a group at
    this multiple of their median norm, judged anew every clipping_update_period steps; None never clips.
    A missing gradient counts as zeros. Sparse gradients raise ValueError. Source: reference 3.1-3.2.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 0.03,
        *,
        clipping_scale: float | None = None,
        betas: tuple[float, float] = (0.9, 0.98),
        scalar_lr_scale: float = 0.1,
        eps: float = 1e-8,
        param_min_rms: float = 1e-5,
        param_max_rms: float = 3.0,
        scalar_max: float = 10.0,
        size_update_period: int = 4,
        clipping_update_period: int = 100,
    ) -> None:
        defaults = {
            "lr": lr,
            "clipping_scale": clipping_scale,
            "betas": betas,
            "scalar_lr_scale": scalar_lr_scale,
            "eps": eps,
            "param_min_rms": param_min_rms,
            "param_max_rms": param_max_rms,
            "scalar_max": scalar_max,
            "size_update_period": size_update_period,
            "clipping_update_period": clipping_update_period,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every tensor from its gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            stacks = [self._stack(group, params) for params in _by_shape(group["params"])]
            if stacks and any(param.grad is not None for param in group["params"]):
                self._update(group, stacks)
        return loss

    def clip_factors(self) -> list[float]:
        """Last clipping factor of each group: 1 where nothing was clipped, 0 where a step was refused."""
        states = (self.state[group["params"][0]] for group in self.param_groups if group["params"])
        return [float(state.get("clip_factor", 1.0)) for state in states]

    def _stack(self, group: Group, params: list[Tensor]) -> "_Stack":
        state = self.state[params[0]]
        stack = _Stack(params, state)
        if "step" not in state:
            stack.initialise(group)
        return stack

    def _update(self, group: Group, stacks: list["_Stack"]) -> None:
        if group["clipping_scale"] is not None:
            clipper = GradientClipper(group["clipping_scale"], group["clipping_update_period"])
            state = self.state[group["params"][0]]
            factor = clipper.factor(state, [stack.squared_norm() for stack in stacks])
            for stack in stacks:
                stack.scale_gradient(factor)
        for stack in stacks:
            stack.update(group)


class _Stack:
    """Tensors of one shape on a leading axis, with their gradients and the state they share."""

    def __init__(self, params: list[Tensor], state: dict[str, Any]) -> None:
        self.params = params
        self.state = state
        self.values = torch.stack([param.detach() for param in params])
        self.gradients = torch.stack([_gradient(param) for param in params])

    @property
    def is_scalar(self) -> bool:
        return self.params[0].numel() == 1

    def initialise(self, group: Group) -> None:
        """State before the first step."""
        self.state["step"] = 0
        self.state["delta"] = torch.zeros_like(self.values)
        self.state["exp_avg_sq"] = torch.zeros_like(self.values)
        if not self.is_scalar:
            rms = _rms(self.values)
            self.state["param_rms"] = rms
            self.state["scale_exp_avg_sq"] = torch.zeros_like(rms)
            self.state["scale_grads"] = rms.new_zeros(group["size_update_period"], *rms.shape)

    def squared_norm(self) -> Tensor:
        """Sum of squared gradients, each relative to the size of its tensor."""
        gradients = self.gradients if self.is_scalar else self.gradients * self.state["param_rms"]
        return gradients.square().sum()

    def scale_gradient(self, factor: Tensor) -> None:
        """Clip; a factor of zero also removes what is not finite."""
        self.gradients = torch.where(factor > 0, self.gradients * factor, 0.0)

    def update(self, group: Group) -> None:
        """One step, written back to the tensors."""
        self.state["delta"].mul_(group["betas"][0])
        if self.is_scalar:
            self._step_scalar(group)
        else:
            self._learn_size(group)
            self._step(group)
        self.values.add_(self.state["delta"])
        torch._foreach_copy_(self.params, list(self.values.unbind()))
        self.state["step"] += 1

    def _learn_size(self, group: Group) -> None:
        period = group["size_update_period"]
        step, slots = self.state["step"], self.state["scale_grads"]
        slots[step % period] = _sum(self.values * self.gradients)
        if step % period == period - 1:
            self.state["param_rms"] = _rms(self.values)
            change = self._size_change(group, slots, updates=(step + 1) // period)
            self.state["delta"].addcmul_(self.values, change, value=1 - group["betas"][0])

    def _size_change(self, group: Group, slots: Tensor, updates: int) -> Tensor:
        """Relative change of each tensor's size: Adam on the gradient of its logarithm."""
        beta2 = group["betas"][1] ** group["size_update_period"]
        rms, second = self.state["param_rms"], self.state["scale_exp_avg_sq"]
        second.mul_(beta2).add_(slots.square().mean(dim=0), alpha=1 - beta2)
        correction = (1 - beta2**updates) ** 0.5
        size_lr = group["lr"] * group["scalar_lr_scale"]
        change = slots.sum(dim=0).mul(-size_lr * correction) / (second.sqrt() + group["eps"])
        change = torch.where(rms < group["param_min_rms"], 0.0, change)
        return torch.minimum(change, (group["param_max_rms"] - rms) / rms)

    def _step(self, group: Group) -> None:
        beta1, beta2 = group["betas"]
        second = self._second_moment(beta2)
        correction = 1 - beta2 ** (self.state["step"] + 1)
        if correction < 0.99:
            second = second / correction
        size = self.state["param_rms"].clamp(min=group["param_min_rms"])
        direction = self.gradients * size / (second.sqrt() + group["eps"])
        self.state["delta"].add_(direction, alpha=-group["lr"] * (1 - beta1))

    def _step_scalar(self, group: Group) -> None:
        beta1, beta2 = group["betas"]
        second = self._second_moment(beta2) / (1 - beta2 ** (self.state["step"] + 1))
        direction = self.gradients / (second.sqrt() + group["eps"])
        lr = group["lr"] * group["scalar_lr_scale"]
        self.state["delta"].add_(direction, alpha=-lr * (1 - beta1))
        self.values.clamp_(min=-group["scalar_max"], max=group["scalar_max"])

    def _second_moment(self, beta2: float) -> Tensor:
        second: Tensor = self.state["exp_avg_sq"]
        return second.mul_(beta2).addcmul_(self.gradients, self.gradients, value=1 - beta2)


def _by_shape(params: list[Tensor]) -> list[list[Tensor]]:
    """Trainable tensors in lists of equal shape, type and device, in order of first appearance."""
    stacks: dict[tuple[Any, ...], list[Tensor]] = {}
    for param in params:
        if param.requires_grad:
            stacks.setdefault((param.shape, param.dtype, param.device), []).append(param)
    return list(stacks.values())


def _gradient(param: Tensor) -> Tensor:
    if param.grad is None:
        return torch.zeros_like(param)
    if param.grad.is_sparse:
        raise ValueError("ScaledAdam does not take sparse gradients; build the embedding with sparse=False")
    return param.grad


def _sum(stacked: Tensor) -> Tensor:
    """Sum over all but the stacking axis, dimensions kept."""
    return stacked.sum(dim=tuple(range(1, stacked.ndim)), keepdim=True)


def _rms(stacked: Tensor) -> Tensor:
    """Root of the mean square over all but the stacking axis, dimensions kept."""
    return stacked.square().mean(dim=tuple(range(1, stacked.ndim)), keepdim=True).sqrt()

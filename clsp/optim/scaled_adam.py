"""ScaledAdam: Adam whose step is relative to each tensor's own size, and that also learns that size.

Written from reference 3.1-3.2, the variant CLSP was trained with. Tensors of equal shape are updated together
(``stacks``). Nothing here waits for the device: clipping factors stay tensors.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from clsp.optim.clipping import GradientClipper
from clsp.optim.stacks import Rates, Stack

Group = dict[str, Any]


class ScaledAdam(Optimizer):
    """Optimiser of tensors or of groups of tensors, each group with its own `lr` if it carries one.

    lr: relative change of a tensor a step. betas: decay of momentum and of the second moments.
    scalar_lr_scale: lr of tensor sizes and of one-element tensors, relative to lr. param_min_rms,
    param_max_rms: bounds within which sizes are learned. scalar_max: bound on one-element tensors.
    size_update_period: steps between updates of the sizes. clipping_scale: clip the gradients of a group at
    this multiple of their median norm, judged anew every clipping_update_period steps; None never clips.
    A missing gradient counts as zeros. Sparse gradients raise ValueError. State is saved tensor by tensor.
    Source: reference 3.1-3.2.
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
        self._stacked: dict[int, tuple[tuple[int, ...], list[Stack]]] = {}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every tensor from its gradient."""
        loss = None if closure is None else torch.enable_grad()(closure)()
        for group in self.param_groups:
            if any(param.grad is not None for param in group["params"]):
                self._update(group)
        return loss

    def clip_factors(self) -> list[float]:
        """Last clipping factor of each group: 1 where nothing was clipped, 0 where a step was refused."""
        states = (self.state[group["params"][0]] for group in self.param_groups if group["params"])
        return [float(state.get("clip_factor", 1.0)) for state in states]

    def state_dict(self) -> dict[str, Any]:
        """As any torch optimiser: state by the tensors' order, independent of how they were stacked."""
        for stack in (stack for _, stacks in self._stacked.values() for stack in stacks):
            for param in stack.params:
                self.state[param]["step"] = stack.step
        saved: dict[str, Any] = super().state_dict()
        return saved

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self._stacked.clear()

    def _update(self, group: Group) -> None:
        stacks = self._stacks(group)
        gradients = [[_gradient(param) for param in stack.params] for stack in stacks]
        factor = None if group["clipping_scale"] is None else self._clip_factor(group, stacks, gradients)
        rates = Rates(**{field.name: group[field.name] for field in fields(Rates)})
        for stack, own in zip(stacks, gradients, strict=True):
            stack.update(rates, own, factor)

    def _clip_factor(self, group: Group, stacks: list[Stack], gradients: list[list[Tensor]]) -> Tensor:
        norms = torch.stack(torch._foreach_norm([gradient for own in gradients for gradient in own]))
        by_stack = torch.split(norms, [len(own) for own in gradients])
        relative = [stack.norms(part) for stack, part in zip(stacks, by_stack, strict=True)]
        clipper = GradientClipper(group["clipping_scale"], group["clipping_update_period"])
        return clipper.factor(self.state[group["params"][0]], torch.cat(relative).square().sum().sqrt())

    def _stacks(self, group: Group) -> list[Stack]:
        """The group's trainable tensors in stacks; made again when other tensors are trained or state was loaded."""
        trainable = [param for param in group["params"] if param.requires_grad]
        key = tuple(map(id, trainable))
        found = self._stacked.get(id(group))
        if found is None or found[0] != key:
            self.state_dict()  # steps of stacks that end here
            found = key, [self._stack(alike, group) for alike in self._alike(trainable)]
            self._stacked[id(group)] = found
        return found[1]

    def _stack(self, params: list[Tensor], group: Group) -> Stack:
        return Stack(params, [self.state[param] for param in params], group["size_update_period"])

    def _alike(self, params: list[Tensor]) -> list[list[Tensor]]:
        """Tensors of equal shape, type, device and age, in order of first appearance."""
        stacks: dict[tuple[Any, ...], list[Tensor]] = {}
        for param in params:
            key = (param.shape, param.dtype, param.device, self.state[param].get("step", 0))
            stacks.setdefault(key, []).append(param)
        return list(stacks.values())


def _gradient(param: Tensor) -> Tensor:
    if param.grad is None:
        return torch.zeros_like(param)
    if param.grad.is_sparse:
        raise ValueError("ScaledAdam does not take sparse gradients; build the embedding with sparse=False")
    return param.grad

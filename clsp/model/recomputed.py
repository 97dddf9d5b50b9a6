"""Linear work on values that are cheap to make: kept for the way back is what they are made of, not they themselves.

A Zipformer's activations and gates are as large as what enters them. Recomputing them costs one elementwise pass;
keeping them costs a third of the memory of a large training step. Forward values are those of the plain composition.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import conv2d, linear

KEPT_BYTES = 2**24  # values smaller than this are kept: making them again costs more than they do
Gradients = Sequence[Tensor | None]
Make = Callable[[], Tensor]


class Made(Protocol):
    """How values are made, elementwise, of ``inputs`` tensors."""

    @property
    def inputs(self) -> int:
        """How many."""

    @property
    def value(self) -> Callable[..., Tensor]:
        """Of the tensors: the values, in memory of their own."""

    @property
    def gradients(self) -> Callable[..., Gradients]:
        """Of the values' gradient, which may be overwritten, and the tensors: the gradient of each."""


class Used(Protocol):
    """What is done with the values, and some weights."""

    @property
    def value(self) -> Callable[..., Tensor]:
        """Of the values and the weights: the result."""

    @property
    def gradients(self) -> Callable[..., Gradients]:
        """Of the result's gradient, what is ``needed``, a function that makes the values again, and the weights.

        The gradient of the values, in memory of its own, and of each weight.
        """


def recomputed(made: Made, used: Used, *tensors: Tensor | None) -> Tensor:
    """``used.value(made.value(*parts), *weights)`` of parts and weights in one row."""
    if not torch.is_grad_enabled():
        return used.value(made.value(*tensors[: made.inputs]), *tensors[made.inputs :])
    out: Tensor = _Recomputed.apply(made, used, *tensors)  # type: ignore[no-untyped-call]
    return out


class _Recomputed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, made: Made, used: Used, *tensors: Tensor) -> Tensor:
        ctx.made, ctx.used = made, used
        values, weights = made.value(*tensors[: made.inputs]), tensors[made.inputs :]
        kept = (values,) if weights and values.nbytes < KEPT_BYTES else ()
        ctx.save_for_backward(*tensors, *kept)
        return used.value(values, *weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        saved, count = ctx.saved_tensors, len(ctx.needs_input_grad) - 2
        parts, weights, kept = saved[: ctx.made.inputs], saved[ctx.made.inputs : count], saved[count:]
        needed = ctx.needs_input_grad[2:]
        needed = (any(needed[: len(parts)]), *needed[len(parts) :])
        # Under autocast the gradient has the type that the values were used in.
        like = gradients[0].dtype
        weights = tuple(weight.to(like) for weight in weights)
        to_values, *to_weights = ctx.used.gradients(
            gradients[0], needed, lambda: (kept[0] if kept else ctx.made.value(*parts)).to(like), *weights
        )
        to_parts = (None,) * len(parts) if to_values is None else ctx.made.gradients(to_values, *parts)
        return None, None, *to_parts, *to_weights


@dataclass(frozen=True)
class Itself:
    """``values`` as they are."""

    def value(self, values: Tensor) -> Tensor:
        return values

    def gradients(self, gradient: Tensor, needed: Sequence[bool], make: Make) -> Gradients:  # noqa: ARG002
        return (gradient.clone(),)


@dataclass(frozen=True)
class Linear:
    """``values`` (…, C) through a linear layer's weight and, where it has one, its bias."""

    def value(self, values: Tensor, weight: Tensor, *bias: Tensor) -> Tensor:
        return linear(values, weight, *bias)

    def gradients(
        self, gradient: Tensor, needed: Sequence[bool], make: Make, weight: Tensor, *bias: Tensor
    ) -> Gradients:
        rows = gradient.flatten(0, -2)
        to_weight = rows.T @ make().flatten(0, -2) if needed[1] else None
        to_values = gradient @ weight if needed[0] else None
        return to_values, to_weight, *(rows.sum(dim=0) for _ in bias)


@dataclass(frozen=True)
class Convolution:
    """``values`` (N, C, H, W) through a two-dimensional convolution's weight and bias."""

    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    groups: int = 1

    def value(self, values: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return conv2d(values, weight, bias, self.stride, self.padding, 1, self.groups)

    def gradients(
        self, gradient: Tensor, needed: Sequence[bool], make: Make, weight: Tensor, bias: Tensor
    ) -> Gradients:
        found: Gradients = torch.ops.aten.convolution_backward(
            gradient, make(), weight, [len(bias)], self.stride, self.padding, (1, 1), False, (0, 0), self.groups,
            list(needed),
        )  # fmt: skip
        return found


@dataclass(frozen=True)
class Mixed:
    """``values`` (N, T, C) mixed by weights (N, T, T), whose rows are targets."""

    def value(self, values: Tensor, weights: Tensor) -> Tensor:
        return weights @ values

    def gradients(self, gradient: Tensor, needed: Sequence[bool], make: Make, weights: Tensor) -> Gradients:
        to_weights = gradient @ make().transpose(-2, -1) if needed[1] else None
        return weights.transpose(-2, -1) @ gradient if needed[0] else None, to_weights


@dataclass(frozen=True)
class Product:
    """Two tensors of one shape, multiplied."""

    inputs = 2

    def value(self, one: Tensor, other: Tensor) -> Tensor:
        return one * other

    def gradients(self, gradient: Tensor, one: Tensor, other: Tensor) -> Gradients:
        return gradient * other, gradient.mul_(one)


@dataclass(frozen=True)
class TanhGate:
    """``values`` · tanh(``gate``)."""

    inputs = 2

    def value(self, values: Tensor, gate: Tensor) -> Tensor:
        return gate.tanh().mul_(values)

    def gradients(self, gradient: Tensor, values: Tensor, gate: Tensor) -> Gradients:
        opened = gate.tanh()
        to_values = gradient * opened
        # 1 − tanh²
        return to_values, gradient.mul_(values).mul_(opened.square_().neg_().add_(1.0))


@dataclass(frozen=True)
class SigmoidGate:
    """``values`` · sigmoid(``gate``), and zeros where ``mask`` is True."""

    inputs = 3

    def value(self, values: Tensor, gate: Tensor, mask: Tensor) -> Tensor:
        return gate.sigmoid().mul_(values).masked_fill_(mask, 0.0)

    def gradients(self, gradient: Tensor, values: Tensor, gate: Tensor, mask: Tensor) -> Gradients:
        opened = gate.sigmoid()
        to_values = gradient.masked_fill_(mask, 0.0).mul_(opened)
        return to_values, (to_values * values).mul_(opened.neg_().add_(1.0)), None

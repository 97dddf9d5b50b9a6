"""Two linear layers with an activation between, whose wide middle exists only for some clips at a time.

These middles are the largest tensors of a step, up to three times as wide as what enters. The way back makes them
again, as many clips at a time as stay small: in the front end that costs less than memory does.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from clsp.model.activations import SWOOSH_L, Dropped

SLICE_BYTES = 2**22  # of the middle


def pointwise(
    x: Tensor, factors: Tensor | None, weight: Tensor, bias: Tensor, out_weight: Tensor, out_bias: Tensor
) -> Tensor:
    """(N, T, C) through a linear layer to (N, T, H), SwooshL, maybe times (N, 1, H) factors, and one to (N, T, D)."""
    out: Tensor = _Pointwise.apply(x, factors, weight, bias, out_weight, out_bias)  # type: ignore[no-untyped-call]
    return out


class _Pointwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, factors: Tensor | None, *weights: Tensor) -> Tensor:
        weight, bias, out_weight, out_bias = weights
        ctx.save_for_backward(x, factors, weight, bias, out_weight)
        out = x.new_empty(*x.shape[:-1], len(out_weight), dtype=_used_type(x))
        for clips in _slices(x, weight):
            middle = _activated(linear(x[clips], weight, bias), None if factors is None else factors[clips])
            out[clips] = linear(middle, out_weight, out_bias)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, factors, *weights = ctx.saved_tensors
        gradient, like = gradients[0], gradients[0].dtype
        # Under autocast the gradient has the type that the values were used in.
        weight, bias, out_weight = (tensor.to(like) for tensor in weights)
        to_x = torch.empty_like(x, dtype=like)
        sums = [torch.zeros_like(tensor, dtype=torch.promote_types(like, torch.float32)) for tensor in weights]
        for clips in _slices(x, weight):
            entered, left = x[clips].to(like), gradient[clips]
            dropped = None if factors is None else factors[clips].to(like)
            hidden = linear(entered, weight, bias)
            sums[2] += _rows(left).T @ _rows(_activated(hidden, dropped))
            to_hidden = left @ out_weight
            if dropped is not None:
                to_hidden.mul_(dropped)
            to_hidden = SWOOSH_L.gradient(to_hidden, hidden)
            to_x[clips] = to_hidden @ weight
            sums[0] += _rows(to_hidden).T @ _rows(entered)
            sums[1] += _rows(to_hidden).sum(dim=0)
        return to_x, None, *sums, _rows(gradient).sum(dim=0)


def _activated(hidden: Tensor, factors: Tensor | None) -> Tensor:
    return SWOOSH_L.value(hidden) if factors is None else Dropped(SWOOSH_L).value(hidden, factors)


def _rows(x: Tensor) -> Tensor:
    return x.flatten(0, -2)


def _slices(x: Tensor, weight: Tensor) -> Iterator[slice]:
    """Of as many clips as keep the middle small."""
    count = max(1, SLICE_BYTES // max(1, x.shape[1] * len(weight) * x.element_size()))
    return (slice(start, start + count) for start in range(0, len(x), count))


def _used_type(x: Tensor) -> torch.dtype:
    """What a linear layer makes of these."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype

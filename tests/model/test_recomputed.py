"""What is made again on the way back has the gradients of what was kept, and is not kept."""

import pytest
import torch
from torch.autograd import gradcheck
from torch.nn.functional import linear

from clsp.model.activations import SWOOSH_L, SWOOSH_R, Dropped
from clsp.model.depthwise import DepthwiseConv1d
from clsp.model.norm import BiasNorm
from clsp.model.pointwise import pointwise
from clsp.model.recomputed import (
    Convolution,
    Itself,
    Linear,
    Mixed,
    Product,
    SigmoidGate,
    TanhGate,
    recomputed,
)
from clsp.model.scores import attention_scores


def values(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


MASK = torch.tensor([[False] * 5, [False] * 3 + [True] * 2])[:, :, None]
FRAMES = (2, 5, 4)
CASES = {
    "swoosh": (SWOOSH_R, Itself(), (FRAMES,), ()),
    "dropped": (Dropped(SWOOSH_L), Linear(), (FRAMES, torch.tensor([0.0, 2, 2, 0]).double()), ((3, 4), (3,))),
    "product": (Product(), Linear(), (FRAMES, FRAMES), ((3, 4), (3,))),
    "without bias": (SWOOSH_L, Linear(), (FRAMES,), ((3, 4),)),
    "tanh": (TanhGate(), Mixed(), (FRAMES, FRAMES), ((2, 5, 5),)),
    "sigmoid": (
        SigmoidGate(),
        DepthwiseConv1d(4, 3).used,
        (FRAMES, FRAMES, MASK),
        ((4, 1, 3), (4,)),
    ),
    "strided": (SWOOSH_R, Convolution((2, 1)), ((2, 3, 7, 5),), ((2, 3, 3, 3), (2,))),
}


@pytest.mark.parametrize("kept_bytes", [0, 2**24])
@pytest.mark.parametrize("case", CASES)
def test_gradients(case, kept_bytes, monkeypatch):
    monkeypatch.setattr("clsp.model.recomputed.KEPT_BYTES", kept_bytes)
    torch.manual_seed(0)
    made, used, parts, weights = CASES[case]
    tensors = [part if isinstance(part, torch.Tensor) else values(*part) for part in (*parts, *weights)]
    assert gradcheck(lambda *all_: recomputed(made, used, *all_), tensors)
    with torch.no_grad():
        plain = recomputed(made, used, *tensors)
    assert torch.equal(plain, recomputed(made, used, *tensors))


@pytest.mark.parametrize("slice_bytes", [1, 2**22])
def test_work_in_slices_has_the_gradients_of_its_formula(slice_bytes, monkeypatch):
    monkeypatch.setattr("clsp.model.pointwise.SLICE_BYTES", slice_bytes)
    monkeypatch.setattr("clsp.model.scores.SLICE_BYTES", slice_bytes)
    monkeypatch.setattr("clsp.model.scores.KEPT_BYTES", 0)
    torch.manual_seed(0)
    x, *weights = values(3, 2, 4), values(5, 4), values(5), values(4, 5), values(4)
    for factors in (None, torch.tensor([[0.0, 2, 2, 0, 2]] * 3)[:, None].double()):
        hidden = SWOOSH_L.value(linear(x, *weights[:2])) * (1 if factors is None else factors)
        torch.testing.assert_close(pointwise(x, factors, *weights), linear(hidden, *weights[2:]))
        assert gradcheck(lambda *all_: pointwise(all_[0], factors, *all_[1:]), (x, *weights))  # noqa: B023
    parts = values(3, 2, 4, 3), values(3, 2, 4, 3), values(3, 2, 4, 2), values(2, 2, 7)
    with torch.no_grad():
        plain = attention_scores(*parts)
    torch.testing.assert_close(attention_scores(*parts).detach(), plain)
    assert gradcheck(attention_scores, parts)


def test_frozen_weights_get_no_gradient():
    x, weight, bias = values(2, 5, 4), values(3, 4).detach(), values(3).detach()
    recomputed(SWOOSH_L, Linear(), x, weight, bias).sum().backward()
    assert x.grad is not None
    assert weight.grad is None


def test_bias_norm_has_the_gradient_of_its_formula():
    torch.manual_seed(0)
    norm = BiasNorm(4).double()
    torch.nn.init.normal_(norm.bias)
    assert gradcheck(lambda x, *_: norm(x), (values(2, 3, 4), norm.bias, norm.log_scale))


def test_only_what_large_values_are_made_of_is_kept(monkeypatch):
    monkeypatch.setattr("clsp.model.recomputed.KEPT_BYTES", 0)
    kept = []
    tensors = values(2, 5, 4), values(2, 5, 4), values(3, 4), values(3)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        recomputed(Product(), Linear(), *tensors)
    assert [tensor.data_ptr() for tensor in kept] == [tensor.data_ptr() for tensor in tensors]


def test_autocast_keeps_the_types_of_weights_and_parts():
    x, weight = torch.randn(2, 5, 4, requires_grad=True), torch.nn.Parameter(torch.randn(3, 4))
    bias = torch.nn.Parameter(torch.zeros(3))
    with torch.autocast("cpu", torch.bfloat16):
        out = recomputed(SWOOSH_L, Linear(), x, weight, bias)
    assert out.dtype == torch.bfloat16
    out.float().sum().backward()
    assert {x.grad.dtype, weight.grad.dtype, bias.grad.dtype} == {torch.float32}

"""The training-only machinery against its definitions (reference 3.17), and that none of it outlives training."""

import copy
import math

import pytest
import torch

from clsp.model.machinery import (
    Balancer,
    ScheduledFloat,
    ScorePenalty,
    SequenceSkip,
    SharedDropout,
    Whiten,
    limit_parameter,
    scale_gradient,
    set_batch_count,
    switch_edits,
)
from clsp.model.machinery.whiten import whitening_metric
from clsp.model.stack import layer_skip
from tests.model.published_encoder import golden_config, golden_input, golden_model


def gradient_through(module, x: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    leaf = x.clone().requires_grad_()
    module(leaf).backward(gradient)
    return leaf.grad


def always(edit):
    """The edit, acting in every call."""
    switch_edits(edit.train(), on=True)
    edit.p = ScheduledFloat((0.0, 1.0))
    return edit


def test_schedules_are_linear_between_their_points_and_end_where_no_counter_is_set() -> None:
    schedule = ScheduledFloat((4000.0, 0.1), (0.0, 0.5))
    assert schedule.value == 0.1
    expected = {-5.0: 0.5, 0.0: 0.5, 1000.0: 0.4, 2000.0: 0.3, 4000.0: 0.1, 1e6: 0.1}
    for count, value in expected.items():
        set_batch_count(schedule, count)
        assert schedule.value == pytest.approx(value)


def balancer_push(x: torch.Tensor) -> torch.Tensor:
    """Gradient of the stated loss by autograd: share positive in [0.4, 0.6], mean absolute value in [0.5, 1]."""
    leaf = x.clone().requires_grad_()
    dims = (0, 1)
    mean, square = leaf.mean(dims), leaf.square().mean(dims)
    ratio, rms = mean / (square - mean**2).sqrt(), square.sqrt()
    bound = 0.8139535 * math.atanh(0.2)
    off = (ratio - ratio.detach().clamp(-bound, bound)).abs()
    loud = (rms.detach().clamp(0.5 * 1.2533141, 1.2533141) / rms).log().abs()
    (off + loud).sum().backward()
    return leaf.grad


def test_balancer_adds_the_normalised_gradient_of_its_loss() -> None:
    torch.manual_seed(0)
    offsets, scales = torch.tensor([0.0, 2.0, -2.0, 0.0, 0.0]), torch.tensor([0.8, 1.0, 1.0, 9.0, 0.01])
    x, gradient = torch.randn(3, 40, 5) * scales + offsets, torch.randn(3, 40, 5)
    push = balancer_push(x)
    push = push * 0.04 / push.square().mean((0, 1)).sqrt().clamp(min=1e-20)
    edited = gradient_through(always(Balancer((0.4, 0.6), (0.5, 1.0))), x, gradient)
    torch.testing.assert_close(edited, gradient + gradient.abs() * push, rtol=1e-3, atol=1e-5)
    assert torch.equal(edited[..., 0], gradient[..., 0])
    image = gradient_through(
        always(Balancer((0.4, 0.6), (0.5, 1.0), channel=1)), x.movedim(2, 1), gradient.movedim(2, 1)
    )
    torch.testing.assert_close(image.movedim(1, 2), edited)


@pytest.mark.parametrize("groups", [1, 2])
def test_whiten_pushes_along_the_gradient_of_its_metric(groups: int) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 60, 6) @ torch.randn(6, 6)
    gradient = torch.randn_like(x)

    def metric(rows: torch.Tensor) -> torch.Tensor:
        grouped = rows.reshape(-1, groups, 6 // groups).transpose(0, 1)
        centred = grouped - grouped.mean(dim=1, keepdim=True)
        return whitening_metric(centred.transpose(1, 2) @ centred / centred.shape[1])

    leaf = x.clone().requires_grad_()
    metric(leaf).backward()
    push = leaf.grad * 0.01 * gradient.norm() / leaf.grad.norm()
    whiten = always(Whiten(1.01, groups=groups))
    torch.testing.assert_close(gradient_through(whiten, x, gradient), gradient + push, rtol=1e-3, atol=1e-5)
    assert torch.equal(gradient_through(always(Whiten(100.0, groups=groups)), x, gradient), gradient)
    assert metric(torch.randn(4000, 6)).item() == pytest.approx(1.0, abs=0.02)


def test_gradients_that_push_a_weight_further_out_turn_back() -> None:
    torch.manual_seed(0)
    weight, gradient = torch.tensor([0.1, 0.1, 0.5, 1.5, 1.5]), torch.tensor([1.0, -1.0, 1.0, 1.0, -1.0])
    seen = torch.stack([gradient_through(lambda w: limit_parameter(w, 0.2, 1.0), weight, gradient) for _ in range(400)])
    assert torch.equal(seen[:, 1:4], gradient[1:4].expand(400, 3))
    assert (seen[:, 0] == -seen[:, 4]).all()
    assert (seen[:, 0] < 0).float().mean().item() == pytest.approx(0.6, abs=0.1)


def test_scores_beyond_the_limit_are_pushed_back() -> None:
    x = torch.tensor([-30.0, -20.0, 0.0, 26.0])
    edited = gradient_through(always(ScorePenalty()), x, torch.zeros(4))
    assert edited.tolist() == pytest.approx([-1e-4, 0, 0, 1e-4])
    assert gradient_through(lambda x: scale_gradient(x, 0.2), x, torch.ones(4)).tolist() == pytest.approx([0.2] * 4)


def test_skips_and_dropout_follow_their_schedule() -> None:
    torch.manual_seed(0)
    skip = SequenceSkip(((0.0, 0.5), (4000.0, 0.0)))
    assert torch.equal(skip(torch.ones(100, 2)), torch.ones(100, 2))
    set_batch_count(skip, 0)
    assert 0.3 < skip(torch.ones(1000, 2)).mean() < 0.7
    assert torch.equal(skip.eval()(torch.ones(9, 2)), torch.ones(9, 2))
    dropout = SharedDropout(0.1)
    set_batch_count(dropout, 0)
    assert (dropout(torch.ones(500, 1, 40)) == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)


def test_layers_come_into_use_one_after_the_other() -> None:
    stacks = golden_config().stacks
    assert layer_skip(stacks[0], 0) == ((1000.0, 0.5), (2000.0, 0.035))
    assert layer_skip(stacks[1], 1) == ((2500.0, 0.5), (3000.0, pytest.approx(0.035 * 2**0.5)))


def speech_gradients(model, **config) -> dict[str, torch.Tensor]:
    model.zero_grad()
    torch.manual_seed(3)
    (model.forward_speech(*golden_input()) * torch.linspace(-1, 1, 24)).sum().backward()
    return {name: weight.grad.clone() for name, weight in model.encoder.named_parameters() if weight.grad is not None}


def test_published_machinery_edits_gradients_only_while_training_and_leaves_no_state() -> None:
    model = golden_model()
    names = set(model.state_dict())
    switch_edits(model.train(), on=True)
    set_batch_count(model, 0)
    first, again = speech_gradients(model), speech_gradients(model)
    assert all(torch.equal(first[name], again[name]) for name in first)
    switch_edits(model, on=False)
    plain = speech_gradients(model)
    assert any(not torch.allclose(first[name], plain[name]) for name in plain)
    assert all(gradient.isfinite().all() for gradient in first.values())
    assert set(model.state_dict()) == names
    in_use = copy.deepcopy(model).eval()
    expected = speech_gradients(in_use)
    switch_edits(in_use, on=True)
    for name, gradient in speech_gradients(in_use).items():
        torch.testing.assert_close(gradient, expected[name])


@pytest.mark.parametrize("on", [False, True])
def test_activation_checkpoints_change_no_gradient(on: bool) -> None:
    """Also with everything that is random and with gradient edits."""
    model = golden_model().train()
    switch_edits(model, on=on)
    set_batch_count(model, 3000)
    kept = speech_gradients(model)
    model.checkpoint_activations(on=True)
    for name, gradient in speech_gradients(model).items():
        torch.testing.assert_close(gradient, kept[name])

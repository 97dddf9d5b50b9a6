"""ScaledAdam against the reference's golden trajectories (3.4) and against its own promises."""

import copy
import math

import pytest
import torch
from torch import Tensor, nn

from clsp.optim import ScaledAdam
from tests.eager.optimiser import PerTensorScaledAdam

UNCLIPPED = {
    0: ([-0.22, -0.1207803, -0.0207803], 1.499550, [0.498512, -0.251488, 0.126488]),
    3: ([-0.2261844, -0.1267807, -0.0258454], 1.496424, [0.489485, -0.254422, 0.139115]),
    7: ([-0.2480711, -0.1413406, -0.0327725], 1.490313, [0.487077, -0.232650, 0.173532]),
    20: ([-0.2639117, -0.1278372, -0.0032344], 1.500599, [0.539822, -0.198052, 0.189699]),
    150: ([-0.2133301, -0.1028356, -0.0152641], 1.495401, [0.437202, -0.222516, 0.181084]),
    249: ([-0.2482230, -0.1511124, -0.0737780], 1.462702, [0.330603, -0.162537, 0.251077]),
}
CLIPPED = {
    20: UNCLIPPED[20],
    150: ([-0.2096199, -0.0993199, -0.0112441], 1.497620, [0.445191, -0.230560, 0.174241]),
    249: ([-0.1941171, -0.0853642, -0.0047823], 1.497800, [0.424482, -0.207324, 0.185871]),
}


def golden_params() -> list[nn.Parameter]:
    a = 0.1 * (torch.arange(6, dtype=torch.float64) - 2.2)
    values = [a.view(2, 3), torch.tensor(1.5), torch.tensor([0.5, -0.25, 0.125])]
    return [nn.Parameter(value.float()) for value in values]


def set_golden_gradients(params: list[nn.Parameter], step: int) -> None:
    for j, param in enumerate(params):
        i = torch.arange(param.numel(), dtype=torch.float64)
        gradient = torch.sin(0.7 * i + 0.3 * step + j) * (1 + 0.5 * math.cos(step))
        param.grad = (gradient * (50 if step == 150 else 1)).float().view(param.shape)


@pytest.mark.parametrize(("clipping_scale", "golden"), [(None, UNCLIPPED), (2.0, CLIPPED)])
def test_golden_trajectory(clipping_scale: float | None, golden: dict[int, tuple]) -> None:
    params = golden_params()
    optimizer = ScaledAdam(params, lr=0.045, clipping_scale=clipping_scale)
    for step in range(250):
        set_golden_gradients(params, step)
        optimizer.step()
        if step == 150 and clipping_scale:
            assert optimizer.clip_factors() == pytest.approx([0.0244323], abs=1e-6)
            assert optimizer.state[params[0]]["clip_threshold"].item() == pytest.approx(1.6747612, abs=1e-6)
        if step in golden:
            a, b, c = golden[step]
            assert params[0].flatten()[:3].tolist() == pytest.approx(a, abs=2e-6)
            assert params[1].item() == pytest.approx(b, abs=2e-6)
            assert params[2].tolist() == pytest.approx(c, abs=2e-6)


def test_stacking_changes_nothing() -> None:
    """Tensors of one shape move as they would in optimisers of their own."""
    values = [torch.randn(3, 2, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]
    together = [nn.Parameter(value.clone()) for value in values]
    alone = [nn.Parameter(value.clone()) for value in values]
    optimizers = [ScaledAdam(together, lr=0.05), *(ScaledAdam([param], lr=0.05) for param in alone)]
    for step in range(9):
        for one, other in zip(together, alone, strict=True):
            one.grad = other.grad = torch.sin(one.detach() * 7 + step)
        for optimizer in optimizers:
            optimizer.step()
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


def train(optimizer: ScaledAdam, params: list[nn.Parameter], steps: range) -> None:
    for step in steps:
        set_golden_gradients(params, step)
        optimizer.step()


def test_resumes_exactly_from_its_state() -> None:
    params = golden_params()
    optimizer = ScaledAdam(params, lr=0.045, clipping_scale=2.0)
    train(optimizer, params, range(130))
    resumed_params = [nn.Parameter(param.detach().clone()) for param in params]
    resumed = ScaledAdam(resumed_params, lr=1.0, clipping_scale=2.0)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(optimizer, params, range(130, 170))
    train(resumed, resumed_params, range(130, 170))
    for one, other in zip(params, resumed_params, strict=True):
        assert torch.equal(one, other)


def test_groups_have_their_own_rate_and_clip_by_their_own_median() -> None:
    slow, fast = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    groups = [{"params": [slow], "lr": 0.001}, {"params": [fast]}]
    optimizer = ScaledAdam(groups, lr=0.1, clipping_scale=2.0)
    for step in range(120):
        slow.grad, fast.grad = torch.full((2, 2), 1.0), torch.full((2, 2), 100.0 if step == 119 else 1.0)
        if step == 0:
            optimizer.step()
            assert (1 - fast[0, 0]).item() == pytest.approx(100 * (1 - slow[0, 0]).item(), rel=1e-3)
        else:
            optimizer.step()
    slow_factor, fast_factor = optimizer.clip_factors()
    assert slow_factor == 1.0
    assert fast_factor < 0.1


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_step_with_non_finite_gradients_is_refused(bad: float) -> None:
    param = nn.Parameter(torch.ones(3))
    optimizer = ScaledAdam([param], clipping_scale=2.0)
    param.grad = torch.tensor([1.0, bad, 0.0])
    optimizer.step()
    assert torch.equal(param.detach(), torch.ones(3))
    assert optimizer.clip_factors() == [0.0]


def test_frozen_and_unused_tensors_stay() -> None:
    frozen = nn.Parameter(torch.ones(2), requires_grad=False)
    unused, used = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))
    optimizer = ScaledAdam([frozen, unused, used], lr=0.1, clipping_scale=2.0)
    for _ in range(6):
        used.grad = torch.ones(2)
        optimizer.step()
    assert torch.equal(frozen, torch.ones(2))
    assert torch.equal(unused.detach(), torch.ones(3))
    assert (used < 1).all()


def test_learns_a_regression() -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(64, 8, generator=generator)
    targets = inputs @ torch.randn(8, 1, generator=generator)
    model = nn.Linear(8, 1)
    optimizer = ScaledAdam(model.parameters(), lr=0.05, clipping_scale=2.0)

    def loss() -> Tensor:
        optimizer.zero_grad()
        error = (model(inputs) - targets).square().mean()
        error.backward()
        return error

    first = loss().item()
    for _ in range(200):
        loss()
        optimizer.step()
    assert loss().item() < first / 20


def test_sparse_gradients_are_refused() -> None:
    embedding = nn.Embedding(4, 2, sparse=True)
    embedding(torch.tensor([1])).sum().backward()
    with pytest.raises(ValueError, match="sparse"):
        ScaledAdam(embedding.parameters()).step()


SHAPES = [(40, 30), (7,), (), (40, 30), (1,), (7,), (40, 30), (3, 2, 5)]


def random_params() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [nn.Parameter(0.3 * torch.randn(shape, generator=generator)) for shape in SHAPES]


@pytest.mark.parametrize("block", [100, 2**16])
def test_blocks_and_stacks_compute_what_tensors_alone_do(monkeypatch, block: int) -> None:
    """Also over the first clipping threshold, and where a tensor fills many blocks."""
    monkeypatch.setattr("clsp.optim.stacks.CPU_BLOCK", block)
    params, alone = random_params(), random_params()
    optimizer, reference = ScaledAdam(params, lr=0.02, clipping_scale=0.9), PerTensorScaledAdam(alone, 0.02, 0.9)
    for step in range(110):
        for one, other in zip(params, alone, strict=True):
            one.grad = other.grad = torch.sin(other.detach() * 7 + step)
        optimizer.step()
        reference.step()
    assert optimizer.clip_factors()[0] < 1
    for one, other in zip(params, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_state_does_not_depend_on_how_tensors_are_grouped() -> None:
    """Saved from one group of stacks, taken over where every tensor is in another group with other neighbours."""
    params = golden_params()
    optimizer = ScaledAdam(params, lr=0.045)
    train(optimizer, params, range(6))
    saved = copy.deepcopy(optimizer.state_dict())
    assert {key: value.shape for key, value in saved["state"][0].items() if key != "step"} == {
        "delta": (2, 3), "exp_avg_sq": (2, 3), "param_rms": (), "scale_exp_avg_sq": (), "scale_grads": (4,),
    }  # fmt: skip
    resumed_params = [nn.Parameter(param.detach().clone()) for param in params]
    twin = nn.Parameter(torch.ones(2, 3))
    resumed = ScaledAdam([{"params": [resumed_params[0]]}, {"params": [*resumed_params[1:], twin]}], lr=0.045)
    groups = resumed.state_dict()["param_groups"]
    resumed.load_state_dict({"state": saved["state"], "param_groups": groups})
    train(optimizer, params, range(6, 12))
    train(resumed, resumed_params, range(6, 12))
    for one, other in zip(params, resumed_params, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


def test_a_step_makes_few_calls_however_many_tensors(monkeypatch) -> None:
    """Forty layers of one shape cost what ten cost, in operations that torch is asked for."""

    def calls(layers: int) -> int:
        params = [nn.Parameter(torch.ones(64)) for _ in range(layers)]
        optimizer = ScaledAdam(params, clipping_scale=2.0)
        for param in params:
            param.grad = torch.ones(64)
        optimizer.step()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            optimizer.step()
        return sum(event.name.startswith("aten::") and event.cpu_parent is None for event in profile.events())

    assert calls(40) - calls(10) <= 3 * 30  # only the views of stacked results grow

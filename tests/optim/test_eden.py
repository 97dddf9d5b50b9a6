"""Eden against the reference's golden rates (3.8)."""

import pytest
import torch
from torch import nn

from clsp.optim import Eden, ScaledAdam


def optimizer() -> ScaledAdam:
    groups = [{"params": [nn.Parameter(torch.ones(2))]}, {"params": [nn.Parameter(torch.ones(3))], "lr": 0.001}]
    return ScaledAdam(groups, lr=0.045)


@pytest.mark.parametrize(
    ("batch", "epoch", "rate"),
    [
        (0, 0, 0.02250000),
        (250, 0, 0.03374995),
        (500, 0, 0.04499972),
        (26_300, 1, 0.04425273),
        (100_000, 4, 0.03782522),
        (1_200_000, 45, 0.01238367),
    ],
)
def test_golden_rates(batch: int, epoch: int, rate: float) -> None:
    eden = Eden(optimizer(), lr_batches=100_000, lr_epochs=100)
    eden.step_epoch(epoch)
    eden.step_batch(batch)
    assert eden.last_lrs() == pytest.approx([rate, rate / 45], abs=1e-8)


def test_warms_up_from_the_start() -> None:
    eden = Eden(optimizer(), lr_batches=1000, lr_epochs=10, warmup_batches=10, warmup_start=0.1)
    assert eden.factor() == pytest.approx(0.1)


def test_state_brings_back_initial_rates_and_counters() -> None:
    eden = Eden(optimizer(), lr_batches=1000, lr_epochs=10)
    eden.step_batch(700)
    eden.step_epoch(3)
    fresh = optimizer()
    for group in fresh.param_groups:
        group["lr"] = 123.0
    resumed = Eden(fresh, lr_batches=1000, lr_epochs=10)
    resumed.load_state_dict(eden.state_dict())
    assert resumed.last_lrs() == eden.last_lrs()
    assert resumed.state_dict() == eden.state_dict()

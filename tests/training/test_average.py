"""The running average is the mean of the weights at every P-th step, in float64, and goes on after resuming."""

import pytest
import torch
from torch import nn

from clsp.training.average import RunningAverage
from clsp.training.checkpoints import Checkpoint


def weights_at(step: int) -> nn.Linear:
    model = nn.Linear(3, 2)
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize("cut", [0, 4, 8, 10])
def test_it_is_the_mean_also_when_resumed(cut):
    average = RunningAverage(4)
    for done in range(1, 21):
        average.update(weights_at(done), done)
        if done == cut:
            saved = average.added_to(Checkpoint(done, {}, {}))
            average = RunningAverage(4)
            average.restore(saved)
    assert average.steps == 20
    taken = [weights_at(done).weight.detach().double() for done in (4, 8, 12, 16, 20)]
    assert average.tensors["weight"].dtype == torch.float64
    torch.testing.assert_close(average.tensors["weight"], torch.stack(taken).mean(0), rtol=1e-12, atol=0)


def test_none_is_kept_when_switched_off():
    average = RunningAverage(0)
    average.update(weights_at(4), 4)
    assert average.added_to(Checkpoint(4, {}, {})).tensors == {}

"""Activations, norm, positions and score shifting against golden numbers and plain restatements."""

import pytest
import torch
from torch.nn.functional import conv1d

from clsp.model.activations import swoosh_l, swoosh_r
from clsp.model.depthwise import DepthwiseConv1d
from clsp.model.machinery import SharedDropout
from clsp.model.masking import feature_mask, kept_clips
from clsp.model.norm import BiasNorm
from clsp.model.positions import RelativePositions, position_table
from clsp.model.resampling import Downsample, upsample
from clsp.model.scores import by_pair

X = torch.tensor([-6.0, -4, -2, -1, 0, 1, 2, 4, 6])
SWOOSH_L = [0.445045, 0.285335, 0.127476, 0.051715, -0.016850, -0.066413, -0.068072, 0.338147, 1.611928]
SWOOSH_R = [0.167650, 0.013454, -0.104674, -0.106334, 0, 0.299886, 0.840000, 2.415326, 4.213454]


def test_golden_swoosh() -> None:
    assert swoosh_l(X).tolist() == pytest.approx(SWOOSH_L, abs=1e-5)
    assert swoosh_r(X).tolist() == pytest.approx(SWOOSH_R, abs=1e-5)


@pytest.mark.parametrize("swoosh", [swoosh_l, swoosh_r])
def test_swoosh_gradient_and_extremes(swoosh) -> None:
    x = torch.linspace(-9, 9, 40, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(swoosh, (x,))
    assert swoosh(torch.tensor([-6e4, -100.0, 100.0, 6e4], dtype=torch.float16)).isfinite().all()


def test_golden_bias_norm() -> None:
    norm = BiasNorm(4)
    norm.log_scale.data.fill_(0.5)
    norm.bias.data.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0]))
    expected = [1.196896, 2.393791, -1.196896, 0.598448]
    assert norm(torch.tensor([1, 2, -1, 0.5])).tolist() == pytest.approx(expected, abs=1e-5)


POSITIONS = {
    0: ([1, 0, 1, 0], [1, 0, 1, 1]),
    1: ([0.992607, 0.121370, 0.970539, 0.240945], [-0.941686, 0.336494, -0.975564, 1]),
    -1: ([0.992607, -0.121370, 0.970539, -0.240945], [-0.941686, -0.336494, -0.975564, 1]),
    5: ([0.897023, 0.441984, 0.609300, 0.792940], [-0.449281, -0.893390, -0.008151, 1]),
    11: ([0.757339, 0.653021, 0.147126, 0.989118], [-0.791168, -0.611599, -0.199796, 1]),
}


@pytest.mark.parametrize("offset", POSITIONS)
def test_golden_positions(offset: int) -> None:
    code = position_table(12, 48)[11 + offset].tolist()
    first, last = POSITIONS[offset]
    assert code[:4] == pytest.approx(first, abs=1e-5)
    assert code[-4:] == pytest.approx(last, abs=1e-5)


def test_positions_do_not_depend_on_what_came_before() -> None:
    positions = RelativePositions(8, 0.0)
    short = positions(torch.zeros(1, 5, 3))
    positions(torch.zeros(1, 20, 3))
    assert torch.equal(positions(torch.zeros(1, 5, 3)), short)
    assert positions(torch.zeros(1, 5, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert not positions.state_dict()


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_scores_by_offset_become_scores_by_pair(frames: int) -> None:
    by_offset = torch.randn(2, 3, frames, 2 * frames - 1)
    pairs = by_pair(by_offset)
    assert pairs.shape == (2, 3, frames, frames)
    for target in range(frames):
        for source in range(frames):
            expected = by_offset[..., target, frames - 1 + source - target]
            assert torch.equal(pairs[..., target, source], expected)


def test_depthwise_convolution_is_a_grouped_conv1d() -> None:
    layer, x = DepthwiseConv1d(6, 5), torch.randn(2, 9, 6)
    expected = conv1d(x.transpose(1, 2), layer.weight, layer.bias, padding=2, groups=6).transpose(1, 2)
    torch.testing.assert_close(layer(x), expected)


def test_downsampling_repeats_the_last_frame_of_batch_or_clip() -> None:
    x = torch.arange(1.0, 6.0).view(1, 5, 1).repeat(2, 1, 1)
    lengths = torch.tensor([5, 3])
    by_batch = Downsample(2, repeats_clip_end=False)(x, lengths)
    by_clip = Downsample(2, repeats_clip_end=True)(x, lengths)
    assert by_batch[:, :, 0].tolist() == [[1.5, 3.5, 5.0], [1.5, 3.5, 5.0]]
    assert by_clip[:, :, 0].tolist() == [[1.5, 3.5, 5.0], [1.5, 3.0, 3.0]]
    assert upsample(by_clip, 2, 5)[0, :, 0].tolist() == [1.5, 1.5, 3.5, 3.5, 5.0]


def test_dropped_channels_are_the_same_in_all_frames() -> None:
    torch.manual_seed(0)
    dropped = SharedDropout(0.5)(torch.ones(4, 7, 64))
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped))
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(SharedDropout(0.5).eval()(torch.ones(1, 2, 3)), torch.ones(1, 2, 3))


def test_feature_mask_is_nested_and_spares_the_lower_channels() -> None:
    torch.manual_seed(0)
    mask = feature_mask(torch.zeros(4000, 2, 8), unmasked=4, skip=0.125)[:, 0]
    assert (mask[:, :4] == 1).all()
    assert (mask[:, 6] <= mask[:, 4]).all()
    assert 1 - mask[:, 4].mean().item() == pytest.approx(0.125, abs=0.02)
    assert 1 - mask[:, 6].mean().item() == pytest.approx(0.234, abs=0.02)
    assert kept_clips(torch.zeros(3, 2, 2), 0.0).shape == (3, 1, 1)

"""The speech tower against the reference's whole-encoder numbers (3.18), which were made with padding seen."""

import pytest
import torch

from clsp.model import DualEncoder
from clsp.model.zipformer import widest
from tests.model.published_encoder import golden_input, golden_model


@pytest.fixture(scope="module")
def model() -> DualEncoder:
    return golden_model(padding="published")


def count(module: torch.nn.Module) -> tuple[int, int]:
    return len(module.state_dict()), sum(tensor.numel() for tensor in module.state_dict().values())


def test_golden_sizes(model: DualEncoder) -> None:
    assert count(model.encoder_embed) == (16, 156_977)
    assert count(model.encoder) == (181, 110_508)


@torch.no_grad()
def test_golden_front_end(model: DualEncoder) -> None:
    x, lengths = model.encoder_embed(*golden_input())
    assert x.shape == (2, 17, 32)
    assert lengths.tolist() == [17, 11]
    assert x.mean().item() == pytest.approx(0.044144, abs=1e-4)
    assert x.std().item() == pytest.approx(1.186836, abs=1e-4)
    expected = [-0.445518, -1.396371, -1.690759, -1.189384]
    assert x[0, 0, :4].tolist() == pytest.approx(expected, abs=1e-4)
    assert x[1, 5, :4].tolist() == pytest.approx([1.530780, 1.591124, 0.898739, -0.219252], abs=1e-4)


@torch.no_grad()
def test_golden_encoder(model: DualEncoder) -> None:
    x, lengths = model.encode_frames(*golden_input())
    assert x.shape == (2, 9, 32)
    assert lengths.tolist() == [9, 6]
    assert x.mean().item() == pytest.approx(0.002596, abs=1e-4)
    assert x.std().item() == pytest.approx(1.053975, abs=1e-4)
    first = [-0.871203, -0.662467, -0.368862, -0.844446, -1.210198, 0.384321]
    assert x[0, 0, :6].tolist() == pytest.approx(first, abs=1e-4)
    second = [0.160707, 1.055738, 0.693549, -0.515022, -2.148571, -1.094214]
    assert x[1, 3, :6].tolist() == pytest.approx(second, abs=1e-4)
    assert x[0, 8, -4:].tolist() == pytest.approx([0.847561, 0.616379, 0.208796, -1.360770], abs=1e-4)


def test_missing_channels_come_from_the_most_recent_wider_stack() -> None:
    outputs = [torch.full((1, 1, width), float(width)) for width in (6, 8, 4)]
    assert widest(outputs).tolist() == [[[4.0] * 4 + [8.0] * 4]]


@torch.no_grad()
def test_stacks_may_differ_in_width() -> None:
    model = golden_model(encoder_dim="16,40,24", encoder_unmasked_dim="8,8,8")
    frames, _ = model.encode_frames(*golden_input())
    assert frames.shape == (2, 9, 40)

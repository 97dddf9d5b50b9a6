"""The losses against the reference's golden values (1.6) and against plain restatements of their definition."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

import clsp
from clsp.losses import info_nce, multi_positive

SCALE = torch.tensor(1 / 0.07)


def golden_audio() -> Tensor:
    return normalize(torch.sin(0.5 * torch.arange(24.0)).view(4, 6), dim=-1)


def golden_text() -> Tensor:
    return normalize(torch.cos(0.3 * torch.arange(48.0)).view(8, 6), dim=-1)


def test_golden_values() -> None:
    assert info_nce(golden_audio(), golden_text()[:4], SCALE).item() == pytest.approx(8.437135, abs=1e-5)
    assert multi_positive(golden_audio(), golden_text(), SCALE).item() == pytest.approx(8.965563, abs=1e-5)
    assert clsp.losses.info_nce is info_nce


def random_rows(count: int, seed: int) -> Tensor:
    return normalize(torch.randn(count, 5, generator=torch.Generator().manual_seed(seed)), dim=-1)


@settings(deadline=None)
@given(st.integers(1, 6), st.floats(0.0, 1.0), st.integers(0, 100))
def test_multi_positive_is_cross_entropy_with_soft_targets(count: int, weight: float, seed: int) -> None:
    audio, text = random_rows(count, seed), random_rows(2 * count, seed + 1)
    logits = SCALE * audio @ text.T
    eye = torch.eye(count)
    soft = torch.cat([weight * eye, (1 - weight) * eye], dim=1)
    to_text = -(soft * logits.log_softmax(dim=1)).sum(dim=1).mean()
    to_speech = -(torch.cat([eye, eye]) * logits.T.log_softmax(dim=1)).sum(dim=1).mean()
    expected = (to_text + to_speech) / 2
    torch.testing.assert_close(multi_positive(audio, text, SCALE, weight), expected, atol=1e-5, rtol=1e-5)


@settings(deadline=None)
@given(st.integers(2, 8), st.integers(0, 100))
def test_order_of_the_batch_does_not_matter(count: int, seed: int) -> None:
    audio, text = random_rows(count, seed), random_rows(count, seed + 1)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    expected = info_nce(audio, text, SCALE)
    torch.testing.assert_close(info_nce(audio[order], text[order], SCALE), expected, atol=1e-5, rtol=1e-5)


def test_perfect_pairs_lose_nothing_and_uninformative_ones_lose_log_n() -> None:
    eye = torch.eye(4)
    assert info_nce(eye, eye, torch.tensor(100.0)).item() == pytest.approx(0.0, abs=1e-6)
    same = normalize(torch.ones(4, 6), dim=-1)
    assert info_nce(same, same, SCALE).item() == pytest.approx(math.log(4), abs=1e-5)


def test_half_precision_towers_get_float32_logits() -> None:
    loss = info_nce(golden_audio().bfloat16(), golden_text()[:4].bfloat16(), SCALE)
    assert loss.dtype == torch.float32

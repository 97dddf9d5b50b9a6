"""The losses against the reference's golden values (1.6) and against plain restatements of their definition."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

import clsp
from clsp.losses import attribute_contrast, info_nce, multi_positive

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


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 100))
def test_tiles_change_neither_loss_nor_gradient(count: int, tile: int, seed: int) -> None:
    results = []
    for size in (tile, 4096):
        leaves = [random_rows(count, seed), random_rows(2 * count, seed + 1), SCALE.clone()]
        audio, text, scale = (leaf.double().requires_grad_() for leaf in leaves)
        loss = multi_positive(audio, text, scale, 0.3, tile=size)
        loss.backward()
        results.append((loss.detach(), audio.grad, text.grad, scale.grad))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


def test_gradients_are_those_of_the_definition() -> None:
    audio, text = (random_rows(count, 3).double().requires_grad_() for count in (3, 6))
    scale = torch.tensor(4.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *leaves: multi_positive(*leaves, 0.3, tile=2), (audio, text, scale))


def test_equal_captions_of_other_clips_are_no_negatives() -> None:
    """With labels, a clip whose caption another clip shares loses what it loses without that other pair."""
    audio, text = random_rows(3, 1), random_rows(3, 2)
    text[2] = text[0]
    masked = info_nce(audio, text, SCALE, labels=torch.tensor([7, 8, 7]))
    logits = SCALE * audio @ text.T
    logits[0, 2] = logits[2, 0] = -math.inf
    targets = torch.arange(3)
    expected = torch.nn.functional.cross_entropy
    torch.testing.assert_close(masked, (expected(logits, targets) + expected(logits.T, targets)) / 2)
    assert masked < info_nce(audio, text, SCALE)
    torch.testing.assert_close(info_nce(audio, text, SCALE, labels=torch.arange(3)), info_nce(audio, text, SCALE))


def test_a_clip_is_no_duplicate_of_itself() -> None:
    """Two equal captions of one clip stay its positives; another clip's equal one is left out on both sides."""
    audio, text = random_rows(2, 1), random_rows(4, 2)
    labels = torch.tensor([5, 6, 5, 5])  # captions 1 of both clips, then captions 2
    logits = SCALE * audio @ text.T
    logits[0, 3] = logits[1, 0] = logits[1, 2] = -math.inf
    to_text = logits.log_softmax(dim=1)
    to_speech = logits.T.log_softmax(dim=1)
    expected = -(0.3 * to_text[0, 0] + 0.7 * to_text[0, 2] + 0.3 * to_text[1, 1] + 0.7 * to_text[1, 3]) / 2
    expected -= (to_speech[0, 0] + to_speech[1, 1] + to_speech[2, 0] + to_speech[3, 1]) / 4
    torch.testing.assert_close(multi_positive(audio, text, SCALE, 0.3, labels=labels), expected / 2)


def test_attribute_contrast_is_a_choice_of_two_where_an_attribute_differs() -> None:
    audio, text, changed = (random_rows(4, seed) for seed in (1, 2, 3))
    differs = torch.tensor([True, False, True, True])
    pairs = SCALE * torch.stack([(audio * text).sum(1), (audio * changed).sum(1)], dim=1)
    each = torch.nn.functional.cross_entropy(pairs, torch.zeros(4, dtype=torch.long), reduction="none")
    torch.testing.assert_close(attribute_contrast(audio, text, changed, SCALE, differs), (each * differs).sum() / 4)

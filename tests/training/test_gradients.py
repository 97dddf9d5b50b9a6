"""Two passes, precision and frozen encoders: what changes a gradient, and what must not."""

import pytest
import torch

from clsp.config import MemorySettings
from clsp.model import Regularisation
from tests.training.bench import stage_settings

NOISY = Regularisation(dropout=0.3, layer_skip=0.3, convnext_skip=0.3, feature_mask=0.3)


def gradients(bench, stage, micro_batches, *, two_passes=False, noisy=False, **changes):
    """Loss and gradients by name of one step, without the step."""
    config = {"regularisation": NOISY, "text_dropout": 0.3} if noisy else {}
    trainer = bench.trainer(stage, stage_settings(micro_batches=micro_batches, **changes), **config)
    trainer.memory = MemorySettings(two_passes=two_passes)
    trainer.optimiser.step = lambda: None
    row = trainer.step(bench.loader(trainer).parts(1), 0)
    return row.loss, {name: weight.grad for name, weight in trainer.model.named_parameters() if weight.requires_grad}


def assert_same(one, other):
    assert one[0] == pytest.approx(other[0], rel=1e-5)
    for name, gradient in other[1].items():
        torch.testing.assert_close(one[1][name], gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_micro_batches_in_two_passes_give_the_gradient_of_the_whole(bench, stage):
    whole = gradients(bench, stage, 1)
    assert_same(gradients(bench, stage, 3), whole)
    assert_same(gradients(bench, stage, 3, two_passes=True), whole)


def test_swapped_captions_are_shared_out_like_all_others(bench):
    """The stage-3 term in micro-batches and two passes has the gradient of the whole, and is more than stage 2."""
    whole = gradients(bench, "stage2", 1, swapped_weight=0.2)
    assert_same(gradients(bench, "stage2", 3, swapped_weight=0.2), whole)
    assert_same(gradients(bench, "stage2", 3, swapped_weight=0.2, two_passes=True), whole)
    without = gradients(bench, "stage2", 1)[0]
    half = gradients(bench, "stage2", 1, swapped_weight=0.1)[0]
    assert whole[0] > without
    assert whole[0] - without == pytest.approx(2 * (half - without), rel=1e-3)


def test_both_passes_draw_the_same_random_numbers(bench):
    """With dropout and skips everywhere, two passes still give the gradient of one graph."""
    one_graph = gradients(bench, "stage2", 3, noisy=True)
    assert_same(gradients(bench, "stage2", 3, noisy=True, two_passes=True), one_graph)
    assert gradients(bench, "stage2", 2, noisy=True)[0] != pytest.approx(one_graph[0], rel=1e-4)


@pytest.mark.parametrize("two_passes", [False, True])
def test_a_frozen_encoder_keeps_its_weights_while_its_head_learns(bench, two_passes):
    trainer = bench.trainer("stage1", stage_settings(freeze=("speech",)))
    trainer.memory = MemorySettings(two_passes=two_passes)
    before = {name: weight.clone() for name, weight in trainer.model.named_parameters()}
    for step in range(3):
        trainer.step(bench.loader(trainer).parts(step), 0)
    moved = {name for name, weight in trainer.model.named_parameters() if not torch.equal(weight, before[name])}
    assert not [name for name in moved if name.startswith("encoder")]
    assert {"audio_projection.0.weight", "logit_scale"} <= moved
    assert any(name.startswith("text_encoder") for name in moved)
    assert trainer.model.text_encoder.training
    assert not trainer.model.encoder.training


def test_half_precision_towers_have_float32_losses_and_gradients(bench):
    loss, _ = gradients(bench, "stage1", 1)
    half_loss, half = gradients(bench, "stage1", 1, precision="bfloat16")
    assert half_loss == pytest.approx(loss, rel=0.02)
    assert half_loss != loss
    assert {gradient.dtype for gradient in half.values()} == {torch.float32}


def test_a_micro_batch_that_is_not_finite_skips_the_step(bench):
    trainer = bench.trainer("stage1", stage_settings(micro_batches=3))
    trainer.memory = MemorySettings(two_passes=True)
    parts = bench.loader(trainer).parts(0)
    parts[1].features[0] = torch.nan
    before = trainer.model.logit_scale.clone()
    assert trainer.step(parts, 0).skipped == 1
    assert torch.equal(trainer.model.logit_scale, before)

"""The plain reference agrees with what trains, so that a comparison of their speed is one of equal work."""

import pytest
import torch

from clsp.losses import info_nce
from tests.eager.towers import eager_info_nce, eager_towers
from tests.model.published_encoder import golden_input, golden_model


@pytest.mark.parametrize(("padding", "kept_bytes"), [("neutral", 2**24), ("published", 2**24), ("neutral", 0)])
def test_plain_towers_and_loss_compute_the_same(padding, kept_bytes, monkeypatch):
    """Also where tensors count as large, whose work is sliced and done again."""
    for module in ("recomputed", "frontend", "scores"):
        monkeypatch.setattr(f"clsp.model.{module}.KEPT_BYTES", kept_bytes)
    torch.manual_seed(0)
    ours = golden_model(padding=padding)
    plain = eager_towers(ours)
    ids = torch.tensor([[0, 7, 9, 4, 2], [0, 5, 6, 2, 1]])
    towards = torch.randn(2, 2, 24)
    losses = []
    for model, loss in ((ours, info_nce), (plain, eager_info_nce)):
        speech, text, scale = model(*golden_input(), ids, (ids != 1).long())
        losses.append(loss(speech, text, scale).detach())
        (torch.stack([speech, text]) * towards).sum().backward()
    torch.testing.assert_close(losses[0], losses[1])
    for (name, one), (_, other) in zip(ours.named_parameters(), plain.named_parameters(), strict=True):
        if other.grad is not None:
            assert (one.grad - other.grad).abs().max() <= 1e-3 * other.grad.abs().max() + 1e-6, name

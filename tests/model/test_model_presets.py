"""Sizes of the presets against the published counts (reference 1.2), without allocating any of them."""

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from clsp.errors import ConfigError
from clsp.model import PRESETS, DualEncoder, preset


def on_meta(name: str) -> DualEncoder:
    with torch.device("meta"):
        return DualEncoder(preset(name))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_xlarge_has_the_published_shape() -> None:
    model = on_meta("clsp-xlarge")
    assert count(model.encoder_embed) == 5_226_225
    assert count(model.encoder) == 591_747_011
    assert len(model.encoder.state_dict()) == 583
    first, second, third = model.encoder.encoders[0], model.encoder.encoders[1], model.encoder.encoders[2]
    assert count(first.layers[0]) == 45_543_713
    assert count(third.encoder.layers[0]) == 45_502_753
    assert model.encoder_embed.out.weight.shape == (1280, 3968)
    weights = second.encoder.layers[0].self_attn_weights
    assert weights.in_proj.weight.shape == (544, 1280)
    assert weights.linear_pos.weight.shape == (32, 48)
    assert count(model.text_encoder) == pytest.approx(124.65e6, rel=1e-4)
    assert count(model) == pytest.approx(724.2e6, rel=1e-3)


def test_large_and_base_towers_have_the_published_sizes() -> None:
    large, base = on_meta("clsp-large"), on_meta("clsp-base")
    assert count(large.encoder_embed) + count(large.encoder) == 326_951_346
    assert count(base.encoder_embed) + count(base.encoder) == pytest.approx(93e6, rel=0.01)


@torch.no_grad()
def test_tiny_tells_captions_apart_before_it_has_learned() -> None:
    """Alike captions (cosine 0.9999) give the contrastive loss nothing to begin with."""
    torch.manual_seed(0)
    tower = DualEncoder(preset("tiny")).eval().text_encoder
    ids = torch.randint(3, 4000, (16, 30))
    pooled = normalize(tower(input_ids=ids, attention_mask=torch.ones_like(ids)).pooler_output, dim=-1)
    cosines = (pooled @ pooled.T)[~torch.eye(16, dtype=torch.bool)]
    assert cosines.mean() < 0.99


def test_unknown_preset_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="clsp-xlarge"):
        preset("huge")


def test_every_preset_survives_its_json() -> None:
    for config in PRESETS.values():
        assert type(config).model_validate_json(config.model_dump_json()) == config

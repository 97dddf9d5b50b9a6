"""What users of the model rely on: unit vectors that no neighbour changes, published names, a bounded scale."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from clsp.errors import ConfigError, ModelError
from clsp.model import DualEncoder, parameter_groups
from clsp.optim import ScaledAdam
from tests.model.published_encoder import golden_config, golden_input, golden_model

NEUTRAL = golden_model()
PUBLISHED = golden_model(padding="published")
PUBLISHED.load_state_dict(NEUTRAL.state_dict())
LENGTHS = st.integers(9, 70)


def features(frames: int, seed: int) -> Tensor:
    return 3 * torch.randn(frames, 16, generator=torch.Generator().manual_seed(seed)) - 4


@torch.no_grad()
def alone(model: DualEncoder, clip: Tensor) -> Tensor:
    return model.forward_speech(clip[None], torch.tensor([len(clip)]))[0]


@settings(max_examples=40)
@given(st.lists(LENGTHS, min_size=1, max_size=5), st.integers(0, 40), st.floats(-30, 30))
def test_a_clip_is_embedded_alike_alone_and_in_any_batch(lengths: list[int], extra: int, filler: float) -> None:
    clips = [features(frames, seed) for seed, frames in enumerate(lengths)]
    batch = torch.full((len(clips), max(lengths) + extra, 16), filler)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    with torch.no_grad():
        together = NEUTRAL.forward_speech(batch, torch.tensor(lengths))
    for one, clip in zip(together, clips, strict=True):
        torch.testing.assert_close(one, alone(NEUTRAL, clip), atol=1e-5, rtol=0)


@settings(max_examples=40)
@given(LENGTHS)
def test_a_lone_clip_is_embedded_as_the_published_code_does(frames: int) -> None:
    clip = features(frames, frames)
    torch.testing.assert_close(alone(NEUTRAL, clip), alone(PUBLISHED, clip), atol=1e-6, rtol=0)


def test_published_padding_is_not_neutral() -> None:
    """Guards the two tests above: the two modes do differ where they may."""
    batch, lengths = golden_input()
    with torch.no_grad():
        frames, _ = PUBLISHED.encode_frames(batch, lengths)
        neutral, _ = NEUTRAL.encode_frames(batch, lengths)
    assert (frames[1, :6] - neutral[1, :6]).abs().max() > 1e-3


@torch.no_grad()
def test_captions_are_embedded_alike_beside_any_padding() -> None:
    ids = torch.tensor([[0, 7, 9, 2, 1, 1], [0, 5, 6, 7, 8, 2]])
    together = NEUTRAL.forward_text(ids, (ids != 1).long())
    lone = NEUTRAL.forward_text(ids[:1, :4], torch.ones(1, 4, dtype=torch.long))
    torch.testing.assert_close(together[:1], lone, atol=1e-5, rtol=0)


def test_training_step_reaches_every_trainable_weight() -> None:
    torch.manual_seed(0)
    model = golden_model().train()
    ids = torch.randint(3, 50, (2, 5))
    speech, text, scale = model(*golden_input(), ids, torch.ones_like(ids))
    torch.testing.assert_close(speech.norm(dim=-1), torch.ones(2))
    torch.testing.assert_close(text.norm(dim=-1), torch.ones(2))
    assert scale.item() == pytest.approx(1 / 0.07)
    ((speech * text.roll(1, -1)).sum() * scale).backward()
    missing = [name for name, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert missing == []
    assert all(weight.grad.isfinite().all() for weight in model.parameters() if weight.grad is not None)


def test_half_precision_gives_close_float32_vectors() -> None:
    clip = features(60, 3)
    half = DualEncoder(golden_config()).eval()
    half.load_state_dict(NEUTRAL.state_dict())
    half.to(torch.bfloat16)
    with torch.inference_mode():
        embedded = half.forward_speech(clip[None].bfloat16(), torch.tensor([60]))[0]
    assert embedded.dtype == torch.float32
    assert torch.cosine_similarity(embedded, alone(NEUTRAL, clip), dim=0) > 0.99


def test_trains_after_an_evaluation_in_inference_mode() -> None:
    model = golden_model()
    with torch.inference_mode():
        model.forward_speech(*golden_input())
    model.train().forward_speech(*golden_input())[0].sum().backward()


def test_a_clip_without_frames_is_an_error() -> None:
    with pytest.raises(ModelError, match="too short"):
        NEUTRAL.forward_speech(torch.zeros(1, 20, 16), torch.tensor([8]))


def test_scale_starts_at_the_published_temperature_and_stays_bounded() -> None:
    model = DualEncoder(golden_config())
    assert model.logit_scale.item() == pytest.approx(2.6593, abs=1e-4)
    for value, bounded in [(-1.0, 0.0), (9.0, math.log(100))]:
        model.logit_scale.data.fill_(value)
        model.clamp_logit_scale()
        assert model.logit_scale.item() == pytest.approx(bounded)


def test_parameter_groups_split_towers_from_heads() -> None:
    towers = dict.fromkeys(("encoder_embed", "encoder", "text_encoder"), 1 / 45)
    fast, slow = parameter_groups(NEUTRAL, 0.045, towers)
    assert (slow["lr"], fast["lr"]) == pytest.approx((0.001, 0.045))
    assert any(parameter is NEUTRAL.logit_scale for parameter in fast["params"])
    assert len(parameter_groups(NEUTRAL, 0.001, {})) == 1
    trainable = sum(parameter.requires_grad for parameter in NEUTRAL.parameters())
    assert len(slow["params"]) + len(fast["params"]) == trainable
    ScaledAdam([slow, fast], lr=0.045)


def test_learning_rate_scales_multiply_along_the_path() -> None:
    scales = {"encoder": 0.5, "encoder.encoders.1": 0.5, "encoder.encoders.1.encoder.layers.0.norm.bias": 0.5}
    rates = {
        id(parameter): group["lr"] for group in parameter_groups(NEUTRAL, 0.08, scales) for parameter in group["params"]
    }
    named = dict(NEUTRAL.named_parameters())
    expected = {
        "encoder.encoders.0.layers.0.norm.bias": 0.04,
        "encoder.encoders.1.downsample.bias": 0.02,
        "encoder.encoders.1.encoder.layers.0.norm.bias": 0.01,
        "encoder_embed.out.bias": 0.08,
    }
    assert {name: rates[id(named[name])] for name in expected} == pytest.approx(expected)
    with pytest.raises(ConfigError, match=r"encoder\.encoders\.9"):
        parameter_groups(NEUTRAL, 0.08, {"encoder.encoders.9": 2.0})


def test_state_dict_has_the_published_names() -> None:
    names = set(NEUTRAL.state_dict())
    layer = {
        "bypass_scale", "bypass.bypass_scale", "bypass_mid.bypass_scale", "norm.log_scale", "norm.bias",
        "self_attn_weights.in_proj.weight", "self_attn_weights.in_proj.bias",
        "self_attn_weights.linear_pos.weight",
    }  # fmt: skip
    modules = [
        "self_attn1", "self_attn2", "feed_forward1", "feed_forward2", "feed_forward3", "nonlin_attention",
        "conv_module1", "conv_module2",
    ]  # fmt: skip
    projections = {f"{module}.{part}.{kind}" for module in modules for part in ("in_proj", "out_proj")
                   for kind in ("weight", "bias")}  # fmt: skip
    depthwise = {f"conv_module{i}.depthwise_conv.{kind}" for i in (1, 2) for kind in ("weight", "bias")}
    expected = {f"encoder.encoders.0.layers.0.{name}" for name in layer | projections | depthwise}
    assert {name for name in names if name.startswith("encoder.encoders.0.")} == expected
    others = {
        "encoder.encoders.1.encoder.layers.1.bypass_scale", "encoder.encoders.1.downsample.bias",
        "encoder.encoders.1.out_combiner.bypass_scale", "encoder.downsample_output.bias", "logit_scale",
        "encoder_embed.conv.0.weight", "encoder_embed.conv.4.bias", "encoder_embed.conv.7.weight",
        "encoder_embed.convnext.depthwise_conv.weight", "encoder_embed.convnext.pointwise_conv1.bias",
        "encoder_embed.convnext.pointwise_conv2.weight", "encoder_embed.out.weight",
        "encoder_embed.out_norm.log_scale", "audio_projection.0.weight", "audio_projection.2.bias",
        "audio_transform.sequential.0.weight", "audio_transform.sequential.3.bias",
        "text_projection.2.weight", "text_transform.sequential.3.weight",
        "text_encoder.pooler.dense.weight", "text_encoder.embeddings.word_embeddings.weight",
    }  # fmt: skip
    assert others <= names
    assert not any("position_ids" in name or "_table" in name for name in names)

"""A clip's vector is its own, in any company: at full width, with branches far louder than a trained model's.

The published code, which lets a clip see the padding beside it, is the reference for a clip alone.
"""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.config.serving import Budgets
from clsp.model import DualEncoder, ModelConfig, preset
from clsp.model.embedding import EmbeddingModel
from clsp.records import ModelVersion
from tests.model.published_encoder import TINY_TEXT

LOUDER = 8.0
TOLERANCE = 1e-4


def loud(config: ModelConfig, seed: int) -> DualEncoder:
    """Random weights whose out-projections count, as in the measurement of reference 1.4."""
    torch.manual_seed(seed)
    towers = DualEncoder(config).eval().requires_grad_(False)
    for name, weight in towers.named_parameters():
        if name.endswith(("out_proj.weight", "pointwise_conv2.weight")):
            weight.mul_(LOUDER)
    return towers


def published(towers: DualEncoder) -> DualEncoder:
    twin = DualEncoder(towers.config.model_copy(update={"padding": "published"})).eval()
    twin.load_state_dict(towers.state_dict())
    return twin


def embedding_model(towers: DualEncoder) -> EmbeddingModel:
    return EmbeddingModel(towers, None, ModelVersion("m", "", "", "", ""), budgets=Budgets(7.0, 64))


TINY = loud(preset("tiny").with_text(**TINY_TEXT), 0)
MODEL = embedding_model(TINY)
PUBLISHED = embedding_model(published(TINY))
SAMPLES = st.integers(1_600, 40_000)


def noise(samples: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.2 * torch.randn(samples, generator=generator) * torch.rand(1, generator=generator)


@settings(max_examples=25)
@given(st.lists(SAMPLES, min_size=1, max_size=5), st.integers(0, 9_000), st.integers(0, 2**31), st.floats(-1, 1))
def test_waveforms_embed_alike_alone_and_in_any_batch(samples, extra, seed, filler):
    clips = [noise(count, seed + position) for position, count in enumerate(samples)]
    batch = torch.full((len(clips), max(samples) + extra), filler)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    together = MODEL.encode_speech(batch, torch.tensor(samples))
    for vector, clip in zip(together, clips, strict=True):
        torch.testing.assert_close(vector, MODEL.encode_speech([clip])[0], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(
        MODEL.encode_speech([clips[0]]), PUBLISHED.encode_speech([clips[0]]), atol=TOLERANCE, rtol=0
    )


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(3, 49), min_size=1, max_size=36), min_size=1, max_size=5), st.integers(0, 9))
def test_tokens_embed_alike_alone_and_beside_any_padding(texts, filler):
    width = max(map(len, texts)) + 2
    ids = torch.full((len(texts), width), filler)
    mask = torch.zeros_like(ids)
    for row, tokens in enumerate(texts):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        mask[row, : len(tokens)] = 1
    together = MODEL.encode_tokens(ids, mask)
    torch.testing.assert_close(together, MODEL.encode_ids(texts), atol=TOLERANCE, rtol=0)
    alone = MODEL.encode_tokens(ids[:1, : len(texts[0])], mask[:1, : len(texts[0])])
    torch.testing.assert_close(together[:1], alone, atol=TOLERANCE, rtol=0)


@pytest.mark.slow
@torch.inference_mode()
def test_the_published_width_is_as_independent():
    """The published channels, heads and kernels in the first three stacks, one layer each."""
    full = preset("clsp-xlarge")
    config = ModelConfig.model_validate(
        full.model_dump()
        | {"text": TINY_TEXT, "num_encoder_layers": (1, 1, 1)}
        | {name: getattr(full, name)[:3] for name in full.model_fields_set if name in _PER_STACK}
    )
    towers = loud(config, 1)
    lengths = [31, 120, 77]
    features = torch.full((3, 150, 128), 5.0)
    clips = [torch.randn(frames, 128, generator=torch.Generator().manual_seed(frames)) - 6 for frames in lengths]
    for row, clip in zip(features, clips, strict=True):
        row[: len(clip)] = clip
    together = towers.forward_speech(features, torch.tensor(lengths))
    twin = published(towers)
    for vector, clip in zip(together, clips, strict=True):
        count = torch.tensor([len(clip)])
        alone = towers.forward_speech(clip[None], count)[0]
        torch.testing.assert_close(vector, alone, atol=TOLERANCE, rtol=0)
        torch.testing.assert_close(alone, twin.forward_speech(clip[None], count)[0], atol=TOLERANCE, rtol=0)
    seen = twin.forward_speech(features, torch.tensor(lengths))
    assert (seen - together).abs().max() > 1e-3, "loud enough that padding would show"


_PER_STACK = {
    "downsampling_factor", "encoder_dim", "encoder_unmasked_dim", "num_heads", "feedforward_dim", "cnn_module_kernel",
    "query_head_dim", "pos_head_dim", "value_head_dim",
}  # fmt: skip

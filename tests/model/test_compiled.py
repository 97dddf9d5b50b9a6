"""Compiled towers: one graph a shape without breaks, few shapes, the same vectors."""

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from clsp.model import DualEncoder, preset
from clsp.model.compiled import CompiledTowers, length_bucket, row_bucket

LONGEST = 40


@pytest.fixture(scope="module")
def towers() -> DualEncoder:
    torch.manual_seed(0)
    text = {"vocab_size": 300, "max_position_embeddings": LONGEST + 2}
    return DualEncoder(preset("tiny").with_text(**text)).eval().requires_grad_(False)


@pytest.fixture
def counter():
    torch._dynamo.reset()
    yield CompileCounter()
    torch._dynamo.reset()


@torch.inference_mode()
def test_speech_is_one_graph_a_bucket_and_the_same_vectors(towers, counter):
    compiled = CompiledTowers(towers, counter)
    shapes = [(1, 100), (2, 100), (1, 128), (2, 110), (2, 97)]
    for rows, frames in shapes:
        features = torch.randn(rows, frames, 128)
        lengths = torch.tensor([frames, frames - 20][:rows])
        expected = towers.forward_speech(features, lengths)
        torch.testing.assert_close(compiled.forward_speech(features, lengths), expected, atol=1e-4, rtol=0)
    assert counter.frame_count == len({(row_bucket(rows), length_bucket(frames)) for rows, frames in shapes}) == 2


@torch.inference_mode()
def test_text_is_one_graph_a_bucket_and_the_same_vectors(towers, counter):
    compiled = CompiledTowers(towers, counter)
    for rows, tokens in [(3, 10), (4, 16), (3, LONGEST), (3, 33)]:
        ids = torch.randint(3, 300, (rows, tokens))
        mask = torch.ones_like(ids)
        mask[0, 5:] = 0
        expected = towers.forward_text(ids.masked_fill(mask == 0, 1), mask)
        actual = compiled.forward_text(ids.masked_fill(mask == 0, 1), mask, LONGEST)
        torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
    assert counter.frame_count == 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@torch.inference_mode()
def test_generated_code_gives_the_same_vectors(towers):
    torch._dynamo.reset()
    features, lengths = torch.randn(2, 64, 128), torch.tensor([60, 50])
    actual = CompiledTowers(towers).forward_speech(features, lengths)
    torch.testing.assert_close(actual, towers.forward_speech(features, lengths), atol=1e-4, rtol=0)


def test_buckets_hold_what_they_must_with_little_padding():
    for length in range(17, 3001):
        assert length <= length_bucket(length) <= 1.5 * length
    assert [row_bucket(rows) for rows in (1, 2, 3, 8, 9)] == [1, 2, 4, 8, 16]
    assert len({length_bucket(length) for length in range(9, 3001)}) == 16

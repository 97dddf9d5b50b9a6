"""Compiled towers: one graph a shape without breaks, few shapes, the same vectors."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from clsp.model import DualEncoder, preset
from clsp.model.compiled import CompiledTowers, Shape, length_bucket, row_bucket, shapes_between

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
        actual = compiled.forward_text(ids.masked_fill(mask == 0, 1), mask)
        torch.testing.assert_close(actual, expected, atol=1e-4, rtol=0)
    assert counter.frame_count == 2


@torch.inference_mode()
def test_what_was_prepared_is_compiled_and_nothing_else_ever_is(towers, counter):
    compiled = CompiledTowers(towers, counter)
    compiled.prepare("speech", [Shape(1, 100), Shape(2, 100)])
    assert counter.frame_count == 2
    features = {rows: torch.randn(rows, 100, 128) for rows in (1, 2, 3)}
    expected = {rows: towers.forward_speech(x, torch.full((rows,), 100)) for rows, x in features.items()}

    def embed(rows: int) -> torch.Tensor:
        with torch.inference_mode():
            return compiled.forward_speech(features[rows], torch.full((rows,), 100))

    with ThreadPoolExecutor(1) as device_thread:  # a server compiles in one thread and runs in another
        for rows, vectors in expected.items():
            torch.testing.assert_close(device_thread.submit(embed, rows).result(), vectors, atol=1e-4, rtol=0)
    assert counter.frame_count == 2
    compiled.prepare("text", shapes_between(1, LONGEST, 2 * LONGEST, 8))
    assert (
        counter.frame_count
        == 2 + len({(1, 16), (4, 16), (1, 24), (2, 24), (1, 32), (2, 32), (1, LONGEST), (2, LONGEST)}) - 1
    )


def test_shapes_for_a_server_are_each_length_alone_and_in_the_fullest_batch():
    shapes = shapes_between(10, 3000, 6000, 256)
    lengths = {shape.length for shape in shapes}
    assert lengths == {length_bucket(length) for length in range(10, 3001)}
    assert {shape.rows for shape in shapes if shape.length == max(lengths)} == {1}
    assert {shape.rows for shape in shapes if shape.length == 512} == {1, 8}
    assert all(
        shape.rows == 1 or shape.rows * shape.length <= 6000 < 2 * shape.rows * shape.length or shape.rows == 256
        for shape in shapes
    )


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

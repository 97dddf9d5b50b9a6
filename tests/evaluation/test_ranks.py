"""Ranks and what follows from them, on matrices worked out by hand."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.errors import DataError
from clsp.evaluation import ranks
from clsp.evaluation.ranks import Ranks, rank


def unit(rows) -> np.ndarray:
    matrix = np.asarray(rows, dtype=float)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def random_unit(seed: int, count: int, size: int = 6) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(count, size)))


def test_hand_computed_ranks():
    gallery = np.eye(3)
    queries = unit([[3, 2, 1], [3, 2, 1], [3, 2, 1]])
    assert rank(queries, gallery, np.arange(3)).above.tolist() == [0, 1, 2]
    assert rank(queries, gallery, np.arange(3)).tied.tolist() == [0, 0, 0]


def test_hand_computed_recall_and_precision():
    found = Ranks(np.array([0, 1, 4, 10]), np.zeros(4, dtype=int))
    assert found.recall_at(1).tolist() == [1, 0, 0, 0]
    assert found.recall_at(5).tolist() == [1, 1, 1, 0]
    assert found.precision_at(10).tolist() == pytest.approx([1, 1 / 2, 1 / 5, 0])
    assert found.expected().tolist() == [1, 2, 5, 11]


def test_ties_share_credit():
    found = Ranks(np.array([0, 1]), np.array([1, 2]))  # places 1-2, and places 2-4
    assert found.recall_at(1).tolist() == [0.5, 0]
    assert found.recall_at(3).tolist() == pytest.approx([1, 2 / 3])
    assert found.precision_at(10).tolist() == pytest.approx([(1 + 1 / 2) / 2, (1 / 2 + 1 / 3 + 1 / 4) / 3])
    assert found.expected().tolist() == [1.5, 3]


def test_constant_model_scores_chance():
    same = unit(np.ones((20, 4)))
    found = rank(same, same, np.arange(20))
    assert found.recall_at(1).mean() == pytest.approx(1 / 20)
    assert found.recall_at(10).mean() == pytest.approx(10 / 20)
    assert found.precision_at(10).mean() == pytest.approx(sum(1 / k for k in range(1, 11)) / 20)


def test_nearly_constant_model_scores_chance():
    noise = np.random.default_rng(0).normal(size=(20, 4)) * 1e-8
    found = rank(unit(np.ones((20, 4)) + noise), unit(np.ones((20, 4))), np.arange(20))
    assert (found.tied == 19).all()


def test_perfect_model():
    vectors = random_unit(0, 30)
    assert rank(vectors, vectors, np.arange(30)).recall_at(1).mean() == 1


def test_blocks_change_nothing(monkeypatch):
    queries, gallery = random_unit(1, 23), random_unit(2, 23)
    many = np.stack([np.roll(np.arange(23), shift) for shift in range(20)])
    for wanted in (np.arange(23), many):
        whole = rank(queries, gallery, wanted)
        with monkeypatch.context() as patch:
            patch.setattr(ranks, "_QUERIES", 5)
            patch.setattr(ranks, "_GALLERY", 7)
            blocked = rank(queries, gallery, wanted)
        assert (blocked.above == whole.above).all()
        assert (blocked.tied == whole.tied).all()


def test_memory_does_not_grow_with_the_number_of_pairs(tmp_path):
    """Two memory-mapped matrices whose cosines would take 12 GiB: the blocks at work stay far below one."""
    shape = (40_000, 16)
    vectors = np.memmap(tmp_path / "vectors", np.float32, "w+", shape=shape)
    vectors[:] = random_unit(0, *shape)
    tracemalloc.start()
    found = rank(vectors[:4096], vectors, np.arange(4096))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.recall_at(1).mean() == 1
    assert peak < 600 * 2**20


def test_several_pairings_at_once():
    queries, gallery = random_unit(1, 9), random_unit(2, 9)
    pairings = np.stack([np.arange(9), np.arange(9)[::-1]])
    both = rank(queries, gallery, pairings)
    for row, pairing in enumerate(pairings):
        assert (both.above[row] == rank(queries, gallery, pairing).above).all()


def test_a_vector_that_is_not_finite_is_refused():
    vectors = random_unit(0, 3)
    vectors[1, 0] = np.nan
    with pytest.raises(DataError, match="not finite"):
        rank(vectors, vectors, np.arange(3))


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 25))
def test_order_of_items_does_not_matter(seed, count):
    queries, gallery = random_unit(seed, count), random_unit(seed + 1, count)
    order = np.random.default_rng(seed).permutation(count)
    straight = rank(queries, gallery, np.arange(count))
    shuffled = rank(queries[order], gallery[order], np.arange(count))
    assert (straight.above[order] == shuffled.above).all()
    assert (straight.tied[order] == shuffled.tied).all()


@settings(max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=12))
def test_scores_stay_in_bounds_and_grow_with_k(labels):
    gallery = np.eye(4)[labels]
    found = rank(gallery, gallery, np.arange(len(labels)))
    r1, r5, precision = found.recall_at(1), found.recall_at(5), found.precision_at(10)
    assert (r1 <= r5).all()
    assert (r1 <= precision + 1e-12).all()
    assert ((r1 >= 0) & (r5 <= 1) & (precision <= 1)).all()
    assert r1.mean() == pytest.approx(len(set(labels)) / len(labels))  # the ceiling of repeated captions

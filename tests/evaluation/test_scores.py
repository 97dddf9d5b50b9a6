"""Scores, intervals and the control of paired vectors."""

import numpy as np
import pytest

from clsp.config import EvaluationSettings
from clsp.evaluation.control import inverse, shuffles
from clsp.evaluation.intervals import bootstrap
from clsp.evaluation.scores import score_pairs

SETTINGS = EvaluationSettings()


def random_unit(seed: int, count: int, size: int = 16) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, size))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def captions(count: int) -> list[str]:
    return [f"caption {index}" for index in range(count)]


def test_contract_keys():
    scores, control = score_pairs(random_unit(0, 8), random_unit(1, 8), captions(8), SETTINGS)
    for table in (scores, control):
        assert set(table) == {"speech_to_text", "text_to_speech"}
        for direction in table.values():
            assert {"r1", "r1_low", "r1_high", "map10", "chance", "r5", "r10", "median_rank", "n"} <= set(direction)
            assert direction["chance"] == 0.125


def test_perfect_model_and_its_control():
    vectors = random_unit(0, 100)
    scores, control = score_pairs(vectors, vectors, captions(100), SETTINGS)
    for direction in ("speech_to_text", "text_to_speech"):
        assert scores[direction]["r1"] == scores[direction]["map10"] == scores[direction]["median_rank"] == 1
        assert control[direction]["r1_low"] <= 0.01 <= control[direction]["r1_high"] <= 0.05
        assert control[direction]["r1"] == pytest.approx(0.01, abs=0.002)


def test_random_model_is_at_chance():
    scores, control = score_pairs(random_unit(0, 400), random_unit(1, 400), captions(400), SETTINGS)
    assert scores["speech_to_text"]["r1"] < 0.015
    assert control["text_to_speech"]["map10"] == pytest.approx(sum(1 / k for k in range(1, 11)) / 400, rel=0.1)


def test_repeated_captions_share_credit_both_ways():
    vectors = random_unit(0, 6)[[0, 0, 1, 2, 3, 4]]
    scores, _ = score_pairs(vectors, vectors, ["a", "a", "b", "c", "d", "e"], SETTINGS)
    for direction in scores.values():
        assert direction["r1"] == direction["ceiling"] == pytest.approx(5 / 6, abs=1e-6)


def test_directions_differ():
    speech = np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]])
    texts = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scores, _ = score_pairs(speech, texts, captions(3), SETTINGS)
    # clip 0: texts 0 and 1 tie on top (1/2); clip 1: the same two tie (1/2); clip 2: text 2 (1)
    assert scores["speech_to_text"]["r1"] == pytest.approx(2 / 3, abs=1e-6)
    # texts 0 and 1: clip 0 on top (1, 0); text 2: clip 2 (1)
    assert scores["text_to_speech"]["r1"] == pytest.approx(2 / 3, abs=1e-6)
    assert scores["text_to_speech"]["map10"] == pytest.approx((1 + 1 / 2 + 1) / 3, abs=1e-6)


def test_same_seed_same_numbers():
    pairs = random_unit(0, 30), random_unit(1, 30), captions(30)
    assert score_pairs(*pairs, SETTINGS) == score_pairs(*pairs, SETTINGS)


def test_interval_of_a_known_share():
    low, high = bootstrap(np.repeat([1.0, 0.0], [30, 70]), 2000, 0.95, 0)
    assert low == pytest.approx(0.3 - 1.96 * np.sqrt(0.3 * 0.7 / 100), abs=0.015)
    assert high == pytest.approx(0.3 + 1.96 * np.sqrt(0.3 * 0.7 / 100), abs=0.015)


def test_interval_of_certainty():
    assert bootstrap(np.ones(5), 100, 0.95, 0) == (1.0, 1.0)


def test_wider_confidence_wider_interval():
    values = np.random.default_rng(0).random(50)
    low90, high90 = bootstrap(values, 1000, 0.9, 0)
    low99, high99 = bootstrap(values, 1000, 0.99, 0)
    assert low99 < low90 < values.mean() < high90 < high99


def test_shuffles_are_permutations_and_inverse_pairs():
    given = shuffles(12, 5, seed=3)
    assert (np.sort(given, axis=1) == np.arange(12)).all()
    assert (given == shuffles(12, 5, seed=3)).all()
    back = inverse(given)
    assert all((back[row][given[row]] == np.arange(12)).all() for row in range(5))

"""The length of the mean vector: near nothing for vectors that point everywhere, one when they are all alike."""

import numpy as np
import pytest

from serving import metrics
from serving.drift import Drift


def told(kind):
    return metrics.MEAN_NORM.labels(kind=kind)._value.get()


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def everywhere(count, dimension=64, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(count, dimension)))


def test_few_vectors_tell_nothing():
    drift = Drift("few")
    drift.add(everywhere(1))
    assert told("few") == 0.0


def test_the_mean_of_equal_weights_is_exact_at_first():
    drift, vectors = Drift("exact"), everywhere(1000)
    for start in range(0, 1000, 10):
        drift.add(vectors[start : start + 10])
    assert told("exact") == pytest.approx(np.linalg.norm(vectors.mean(axis=0)), rel=1e-6)


def test_a_collapse_shows_and_is_forgotten_again():
    drift = Drift("collapse")
    drift.add(everywhere(4000))
    assert told("collapse") < 0.1
    same = np.repeat(everywhere(1, seed=1), 16, axis=0)
    for _ in range(500):
        drift.add(same)
    assert told("collapse") > 0.9
    for seed in range(500):
        drift.add(everywhere(16, seed=seed))
    assert told("collapse") < 0.15


def test_a_version_of_another_dimension_starts_anew():
    drift = Drift("dimension")
    drift.add(np.repeat(everywhere(1), 4000, axis=0))
    drift.add(everywhere(4000, dimension=32))
    assert told("dimension") < 0.1

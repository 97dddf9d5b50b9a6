"""Statistics against numbers worked out by hand, and what their intervals must do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.config import EvaluationSettings
from clsp.errors import DataError
from clsp.evaluation.statistics import estimate, kendall, pearson, spearman, unweighted_recall, weighted_accuracy

SETTINGS = EvaluationSettings(resamples=200)
TRUTH = np.array(["a"] * 8 + ["b"] * 2)
ANSWER = np.array(["a"] * 10)


def test_accuracy_rewards_the_larger_class_and_recall_does_not():
    assert weighted_accuracy(TRUTH, ANSWER) == pytest.approx(0.8)
    assert unweighted_recall(TRUTH, ANSWER) == pytest.approx(0.5)


def test_correlations_of_a_swapped_pair():
    a, b = np.array([1.0, 2, 3, 4]), np.array([1.0, 2, 4, 3])
    assert pearson(a, b) == pytest.approx(0.8)
    assert spearman(a, b) == pytest.approx(0.8)
    assert kendall(a, b) == pytest.approx(4 / 6)


def test_a_constant_side_has_no_correlation():
    with pytest.raises(DataError, match="undefined"):
        estimate(pearson, np.ones(5), np.arange(5.0), SETTINGS)


def test_intervals_narrow_with_more_clips():
    random = np.random.default_rng(0)
    few, many = (random.normal(size=(count, 2)) for count in (20, 2000))
    widths = [found.high - found.low for rows in (few, many) for found in [estimate(pearson, *rows.T, SETTINGS)]]
    assert widths[1] < widths[0] / 4


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=30))
def test_a_value_lies_in_its_bounds_and_order_is_nothing(pairs):
    truth, answer = (np.array(column) for column in zip(*pairs, strict=True))
    found = estimate(unweighted_recall, truth, answer, SETTINGS)
    assert 0 <= found.low <= found.high <= 1
    assert unweighted_recall(truth[::-1], answer[::-1]) == pytest.approx(found.value)

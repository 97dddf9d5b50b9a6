"""The task schedule of stage 2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clsp
from clsp.training import task_probability


@pytest.mark.parametrize(
    ("step", "expected"), [(0, 0.95), (2_000, 0.86), (4_000, 0.77), (10_000, 0.50), (1_000_000, 0.50)]
)
def test_published_values(step, expected):
    assert task_probability(step) == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 10**7))
def test_it_never_rises_and_stays_between_its_ends(step):
    assert 0.5 <= task_probability(step + 1) <= task_probability(step) <= 0.95


def test_it_is_part_of_the_public_interface():
    assert clsp.training.task_probability(50, start=0.9, end=0.1, steps=100) == pytest.approx(0.5)

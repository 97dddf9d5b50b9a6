"""Fixtures of training: a stage small enough to run many times."""

import pytest

from tests.training.bench import Bench


@pytest.fixture
def bench(tmp_path) -> Bench:
    """Sixteen tones, their tokenizer, and a store for checkpoints."""
    return Bench.make(tmp_path)

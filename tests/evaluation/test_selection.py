"""Choosing a model on dev."""

import pytest

from clsp.config import EvaluationSettings
from clsp.errors import DataError
from clsp.evaluation.selection import select
from clsp.storage import open_store
from tests.speech import save_tones
from tests.tiny_model import write_tiny_model

SETTINGS = EvaluationSettings(resamples=100, control_shuffles=40)


def test_models_are_ranked_on_the_split_and_an_empty_split_is_named(tmp_path):
    store = open_store(str(tmp_path / "store"))
    examples = save_tones(store, 8, split="dev")
    models = [str(write_tiny_model(tmp_path / f"m{seed}", seed)) for seed in (0, 1)]
    ranked = select(store, examples, models, "dev", SETTINGS)
    assert {candidate.model for candidate in ranked} == {"m0", "m1"}
    assert ranked[0].r1 >= ranked[1].r1
    with pytest.raises(DataError, match="train"):
        select(store, examples, models, "train", SETTINGS)

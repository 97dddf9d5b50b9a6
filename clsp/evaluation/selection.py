"""Choosing one of several models on the dev split, and never on the split that is reported.

The published recipe looped over checkpoints on the 241 clips it then reported (reference 1.8, 1.13); a figure chosen
that way is too good, so the test split is refused here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clsp.config.evaluation import EvaluationSettings
from clsp.errors import ConfigError, DataError
from clsp.evaluation.embeddings import Encoder, embed
from clsp.evaluation.evaluate import score_embeddings
from clsp.model.loading import load_model
from clsp.records import Example
from clsp.storage import ObjectStore
from clsp.storage.manifest import load_manifest, read_rows

REPORTED_SPLIT = "test"


@dataclass(frozen=True)
class Candidate:
    """One model and its mean R@1 over kinds of caption and directions."""

    model: str
    r1: float
    scores: Mapping[str, Any]


def select(
    store: ObjectStore, examples: str, models: Sequence[str], split: str, settings: EvaluationSettings
) -> list[Candidate]:
    """``models`` scored on ``split`` of the manifest ``examples``, best first; ConfigError for the test split."""
    if split == REPORTED_SPLIT:
        raise ConfigError(
            "a model chosen on the test split would be reported too well", hint="choose on dev: --split dev"
        )
    rows = read_rows(store, load_manifest(store, examples), "examples", Example)
    chosen = [row for row in rows if row.split == split and (row.fine or row.overall)]
    if not chosen:
        raise DataError(f"split {split!r} has no captioned example", hint="raise ingest.dev_share and run again")
    candidates = [_score(store, model, load_model(model), chosen, settings) for model in models]
    return sorted(candidates, key=lambda candidate: -candidate.r1)


def _score(
    store: ObjectStore, name: str, encoder: Encoder, rows: list[Example], settings: EvaluationSettings
) -> Candidate:
    scores: dict[str, Any] = dict(score_embeddings(embed(store, encoder, rows, settings.batch_size), settings))
    recalls = [direction["r1"] for kind in scores["retrieval"].values() for direction in kind.values()]
    return Candidate(Path(name).name, float(np.mean(recalls)), scores["retrieval"])

"""Searching clips by description: the held-out clips of a registered version, ranked by cosine similarity.

The clips' vectors are those the version was evaluated with, so nothing is embedded but the question.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from clsp.errors import ModelError
from clsp.evaluation.embeddings import Embedding
from clsp.model.embedding import EmbeddingModel
from clsp.model.loading import load_model
from clsp.registry import parse_uri, read_document, resolve
from clsp.storage import open_store
from clsp.storage.manifest import load_manifest, read_rows


@dataclass(frozen=True)
class Hit:
    """One clip that fits a description: its cosine, and what its own caption says."""

    segment_id: str
    score: float
    text: str


@dataclass(frozen=True)
class ClipIndex:
    """The evaluated clips of a version beside the model that embeds questions."""

    model: EmbeddingModel
    rows: list[Embedding]
    vectors: NDArray[np.float32]

    @classmethod
    def open(cls, uri: str) -> Self:
        """Open the index of ``STORE/models/NAME@ALIAS`` (or ``/NAME/VERSION``); ``ModelError`` when it has none."""
        parsed = parse_uri(uri)
        if parsed is None:
            raise ModelError(f"{uri!r} is not a registered model", hint="give STORE/models/NAME@ALIAS")
        store = open_store(parsed[0])
        version = resolve(store, parsed[1])
        evaluation = read_document(store, version.name, version.version).manifests.get("evaluation", "")
        if not evaluation:
            raise ModelError(f"{uri!r} was registered without an evaluation", hint="register it from a full run")
        rows = list(read_rows(store, load_manifest(store, evaluation), "embeddings", Embedding))
        return cls(load_model(uri), rows, np.array([row.speech for row in rows], dtype=np.float32))

    def search(self, description: str, best: int) -> list[Hit]:
        """The ``best`` clips for a description, best first."""
        question = self.model.encode_text([description]).numpy()[0]
        scores = self.vectors @ question
        order = np.argsort(-scores, kind="stable")[:best]
        return [Hit(self.rows[i].segment_id, float(scores[i]), self.rows[i].fine_text) for i in order]

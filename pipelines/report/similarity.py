"""How clips and captions of the held-out split compare: a readable sample of the matrix, all of it as two shapes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clsp.evaluation.embeddings import Embedding
from clsp.hashing import unit_interval
from clsp.records import Example
from pipelines.report.outputs import Outputs
from pipelines.report.views import SimilarityView

_ITEMS = 24
_ALL_PAIRS_OF = 400


def read_similarity(outputs: Outputs) -> SimilarityView | None:
    """Cosines of up to 24 held-out clips, ordered by pitch, with their fine captions; None without an evaluation."""
    found = outputs.rows(outputs.last("embeddings"), "embeddings", Embedding)
    drawn = sorted((row for row in found if row.fine), key=lambda row: unit_interval("report", row.segment_id))
    if not drawn:
        return None
    pitch = _pitches(outputs, {row.segment_id for row in drawn})
    shown = sorted(_different_captions(drawn), key=lambda row: (pitch.get(row.segment_id, 0.0), row.segment_id))
    matched, mismatched = _all_pairs(drawn[:_ALL_PAIRS_OF])
    cosines = _cosines(shown)
    return SimilarityView(
        speakers=tuple(row.speaker for row in shown),
        captions=tuple(row.fine_text for row in shown),
        cosines=tuple(tuple(float(value) for value in line) for line in cosines),
        matched=matched,
        mismatched=mismatched,
    )


def _different_captions(rows: Sequence[Embedding]) -> list[Embedding]:
    return list({row.fine_text: row for row in reversed(rows)}.values())[::-1][:_ITEMS]


def _pitches(outputs: Outputs, wanted: set[str]) -> dict[str, float]:
    examples = outputs.rows(outputs.last("examples"), "examples", Example)
    return {row.segment_id: row.measures.get("pitch_hz", 0.0) for row in examples if row.segment_id in wanted}


def _cosines(rows: Sequence[Embedding]) -> NDArray[np.float64]:
    cosines: NDArray[np.float64] = np.array([row.speech for row in rows]) @ np.array([row.fine for row in rows]).T
    return cosines


def _all_pairs(rows: Sequence[Embedding]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    cosines = _cosines(rows)
    own = np.eye(len(rows), dtype=bool)
    return tuple(cosines[own].tolist()), tuple(cosines[~own].tolist())

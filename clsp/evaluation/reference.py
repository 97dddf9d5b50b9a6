"""Making a version's reference set of style scores from the vectors of its evaluation."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clsp.evaluation.embeddings import Embedding
from clsp.registry.style_reference import StyleReference

_POINTS = 1001
_FEWEST_CLIPS = 2


def make_reference(rows: Sequence[Embedding]) -> StyleReference | None:
    """The reference of evaluated clips with fine captions (global ones where they have none); None below two clips."""
    pairs = [(row.speech, row.fine or row.overall) for row in rows if row.fine or row.overall]
    if len(pairs) < _FEWEST_CLIPS:
        return None
    speech, texts = (np.array(side, dtype=np.float64) for side in zip(*pairs, strict=True))
    cosines = speech @ texts.T
    others = cosines[~np.eye(len(pairs), dtype=bool)]
    return StyleReference(_quantiles(others), _quantiles(np.diag(cosines)), len(pairs))


def _quantiles(values: NDArray[np.float64]) -> tuple[float, ...]:
    points = np.quantile(values, np.linspace(0, 1, _POINTS))
    return tuple(round(float(point), 6) for point in points)

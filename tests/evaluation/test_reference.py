"""The reference set of style scores, made from an evaluation's vectors."""

import numpy as np

from clsp.evaluation import Embedding
from clsp.evaluation.reference import make_reference


def rows(count: int) -> list[Embedding]:
    """Clips on a circle, each with its own caption right beside it."""
    angles = np.linspace(0, np.pi, count, endpoint=False)
    unit = [(float(np.cos(angle)), float(np.sin(angle))) for angle in angles]
    return [Embedding(f"c{index}", "s", "fine", "", vector, vector, ()) for index, vector in enumerate(unit)]


def test_own_captions_are_told_from_others():
    reference = make_reference(rows(8))
    assert reference.clips == 8
    assert set(reference.own) == {1.0}
    assert reference.percentile(1.0) == 100
    assert 100 * 6 / 28 <= reference.percentile(0.0) <= 100 * 10 / 28  # 6 of 28 pairs lie below 0, 4 at it


def test_one_clip_makes_no_reference():
    assert make_reference(rows(1)) is None

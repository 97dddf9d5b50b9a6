"""The row that Feast holds of a segment: what it is selected by, and nothing that is large."""

from collections.abc import Mapping
from dataclasses import dataclass

from clsp.records import Example


@dataclass(frozen=True)
class SegmentFeatures:
    """Features of one segment. ``fine_captions`` counts different texts; ``measures`` are those of the acoustics."""

    segment_id: str
    split: str
    duration_s: float
    licence: str
    language: str
    fine_captions: int
    overall_captions: int
    measures: dict[str, float]


def describe(example: Example, measures: Mapping[str, float]) -> SegmentFeatures:
    """The features of an example whose sound was measured."""
    return SegmentFeatures(
        segment_id=example.segment_id,
        split=example.split,
        duration_s=example.duration_s,
        licence=example.licence,
        language=example.language,
        fine_captions=len(set(example.fine)),
        overall_captions=len(set(example.overall)),
        measures=dict(measures),
    )

"""From segments and the captions that passed to the rows that are trained on.

Pure and ordered: the same segments and captions give the same examples in the order of the segments, and an example
holds nothing that was not handed in.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from clsp.records import Caption, CaptionKind, Example, Segment


def build_examples(segments: Sequence[Segment], accepted: Iterable[Caption]) -> list[Example]:
    """One example a segment that has a fine caption, in the order of ``segments``; measures are still empty.

    Captions are ordered by view and then id; equal texts of one segment are one caption.
    """
    texts = _texts(accepted)
    return [
        _example(segment, texts[segment.id, "fine"], texts[segment.id, "global"])
        for segment in segments
        if (segment.id, "fine") in texts
    ]


def captionless(segments: Iterable[Segment], examples: Iterable[Example]) -> list[Segment]:
    """Segments that became no example."""
    kept = {example.segment_id for example in examples}
    return [segment for segment in segments if segment.id not in kept]


def _texts(captions: Iterable[Caption]) -> dict[tuple[str, CaptionKind], dict[str, None]]:
    texts: dict[tuple[str, CaptionKind], dict[str, None]] = defaultdict(dict)
    for caption in sorted(captions, key=lambda caption: (caption.view, caption.id)):
        texts[caption.segment_id, caption.kind][caption.text] = None
    return texts


def _example(segment: Segment, fine: Iterable[str], overall: Iterable[str]) -> Example:
    return Example(
        segment_id=segment.id,
        split=segment.split,
        speaker=segment.speaker,
        duration_s=segment.duration_s,
        licence=segment.licence,
        language=segment.language,
        fine=tuple(fine),
        overall=tuple(overall),
        audio_key=segment.audio_key,
        audio_offset=segment.audio_offset,
        audio_length=segment.audio_length,
        measures={},
    )

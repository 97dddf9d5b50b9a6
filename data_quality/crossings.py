"""What a row's judgement needs to know of all other rows: who exists, what occurs twice, how many a segment has.

Every table is read once or twice, a batch at a time, and leaves only counts of hashes; the judging that follows reads
the tables again and asks these.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clsp.records import Caption, Example, Segment
from data_quality.evidence import Evidence, batches
from data_quality.keys import Counted, Gathering, Pairs, hashes
from data_quality.spool import TextSpool
from data_quality.wording import fingerprint

_BETWEEN = "\x1f"


@dataclass(frozen=True)
class Splits:
    """The speakers of each split."""

    speakers: dict[str, Counted]

    def of(self, speakers: Any) -> Any:
        """In how many splits each of ``speakers`` (hashes) is."""
        found = [held.of(speakers) > 0 for held in self.speakers.values()]
        return np.sum(found, axis=0) if found else np.zeros(len(speakers), np.int64)


@dataclass(frozen=True)
class Spoken:
    """Segments or examples by the segment's id, and where their speakers are."""

    ids: Counted
    splits: Splits


@dataclass(frozen=True)
class CaptionFacts:
    """The captions as they were written, and the texts and sets of content words that occur more than once."""

    ids: Counted
    contents: Counted
    texts: Counted
    words: Counted


@dataclass(frozen=True)
class SegmentCaptions:
    """Captions a segment, by kind, and of those a model wrote how many, and how many different views and seeds."""

    fine: Counted
    overall: Counted
    generated: Counted
    views: Counted
    seeds: Counted
    all_views: int


@dataclass(frozen=True)
class VerdictFacts:
    """Which captions were judged, passed and failed, and the items that rejected any."""

    judged: Counted
    passed: Counted
    failed: Counted
    items: tuple[str, ...]


@dataclass(frozen=True)
class Crossings:
    """All of it. Of ``accepted`` and ``examples`` only the ids that occur more than once are known.

    ``accepted_texts`` are keyed by ``text_key``; ``transcripts`` by segment.
    """

    segments: Spoken
    captions: CaptionFacts
    of_segment: SegmentCaptions
    verdicts: VerdictFacts
    accepted: Counted
    accepted_texts: Counted
    examples: Spoken
    transcripts: TextSpool


def cross(evidence: Evidence, transcripts: TextSpool) -> Crossings:
    """Read every table of ``evidence``; ``transcripts`` is filled."""
    accepted, texts = Gathering(), Gathering()
    for captions in batches(evidence.accepted):
        accepted.add(hashes(caption.id for caption in captions))
        texts.add(hashes(text_key(caption.segment_id, caption.kind, caption.text) for caption in captions))
    return Crossings(
        segments=_segments(evidence.segments, transcripts),
        captions=_captions(evidence.captions),
        of_segment=_of_segment(evidence.captions),
        verdicts=_verdicts(evidence),
        accepted=accepted.total().repeated(),
        accepted_texts=texts.total(),
        examples=_examples(evidence.examples),
        transcripts=transcripts,
    )


def text_key(segment_id: str, kind: str, text: str) -> str:
    """What an accepted caption is known by."""
    return _BETWEEN.join((segment_id, kind, text))


def _segments(rows: Iterable[Segment], transcripts: TextSpool) -> Spoken:
    ids, speakers = Gathering(), _Speakers()
    for batch in batches(rows):
        names = [segment.id for segment in batch]
        ids.add(hashes(names))
        speakers.add([(segment.split, segment.speaker) for segment in batch])
        transcripts.add(names, [segment.transcript for segment in batch])
    transcripts.close_book()
    return Spoken(ids.total(), speakers.total())


def _captions(rows: Iterable[Caption]) -> CaptionFacts:
    ids, contents, texts, of_words = Gathering(), Gathering(), Gathering(), Gathering()
    for batch in batches(rows):
        ids.add(hashes(caption.id for caption in batch))
        contents.add(hashes(map(repr, batch)))
        fine = [caption.text for caption in batch if caption.kind == "fine"]
        texts.add(hashes(fine))
        of_words.add(hashes(map(fingerprint, fine)))
    return CaptionFacts(ids.total(), contents.total(), texts.total().repeated(), of_words.total().repeated())


def _of_segment(rows: Iterable[Caption]) -> SegmentCaptions:
    fine, overall, generated, views, seeds = Gathering(), Gathering(), Gathering(), Pairs(), Pairs()
    all_views: set[int] = set()
    for batch in batches(rows):
        fine.add(hashes(caption.segment_id for caption in batch if caption.kind == "fine"))
        overall.add(hashes(caption.segment_id for caption in batch if caption.kind == "global"))
        made = [caption for caption in batch if caption.kind == "fine" and caption.model]
        segments = hashes(caption.segment_id for caption in made)
        generated.add(segments)
        views.add(segments, _numbers(caption.view for caption in made))
        seeds.add(segments, _numbers(caption.seed for caption in made))
        all_views.update(caption.view for caption in made)
    return SegmentCaptions(
        fine.total(), overall.total(), generated.total(), views.total(), seeds.total(), len(all_views)
    )


def _numbers(values: Iterable[int]) -> Any:
    return np.array([*values], np.int64).astype(np.uint64)


def _verdicts(evidence: Evidence) -> VerdictFacts:
    judged, passed, failed = Gathering(), Gathering(), Gathering()
    items: set[str] = set()
    for batch in batches(evidence.verdicts):
        judged.add(hashes(verdict.caption_id for verdict in batch))
        passed.add(hashes(verdict.caption_id for verdict in batch if verdict.passed))
        items.update(verdict.item for verdict in batch)
    for failures in batches(evidence.failures):
        failed.add(hashes(failure.id for failure in failures if failure.outcome == "failed"))
    return VerdictFacts(judged.total(), passed.total(), failed.total(), tuple(sorted(items - {""})))


def _examples(rows: Iterable[Example]) -> Spoken:
    ids, speakers = Gathering(), _Speakers()
    for batch in batches(rows):
        ids.add(hashes(example.segment_id for example in batch))
        speakers.add([(example.split, example.speaker) for example in batch])
    return Spoken(ids.total().repeated(), speakers.total())


class _Speakers:
    def __init__(self) -> None:
        self._by_split: defaultdict[str, Gathering] = defaultdict(Gathering)

    def add(self, rows: Sequence[tuple[str, str]]) -> None:
        for split in {split for split, _ in rows}:
            self._by_split[split].add(hashes(speaker for other, speaker in rows if other == split))

    def total(self) -> Splits:
        return Splits({split: speakers.total() for split, speakers in sorted(self._by_split.items())})

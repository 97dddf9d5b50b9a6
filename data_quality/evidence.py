"""The rows that are judged, laid out as one table a suite.

Everything a rule needs beyond a row (has this caption a verdict, has this segment all views) is computed here into a
column, so that a rule reads one column and a failing one can name rows. Text is escaped before it leaves this module:
Data Docs render values as they are, and a caption may hold markup.
"""

import html
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from clsp.records import Caption, Example, Failure, Segment, Verdict
from data_quality.wording import fingerprint, words


@dataclass(frozen=True)
class Evidence:
    """What the steps up to validate gave. ``accepted`` are captions that passed, ``failures`` those of verify."""

    segments: tuple[Segment, ...]
    captions: tuple[Caption, ...]
    verdicts: tuple[Verdict, ...]
    accepted: tuple[Caption, ...]
    failures: tuple[Failure, ...]
    examples: tuple[Example, ...]
    baseline: tuple[Example, ...] = ()  # of the data set that the examples are held against, if any


def tables(evidence: Evidence) -> dict[str, pd.DataFrame]:
    """The table of every suite by its name; each has a column ``id`` that names its rows."""
    return {
        "captions": _frame(_caption_rows(evidence), CAPTION_COLUMNS),
        "segments": _frame(_segment_rows(evidence), SEGMENT_COLUMNS),
        "verdicts": _frame(_verdict_rows(evidence), VERDICT_COLUMNS),
        "accepted": _frame(_accepted_rows(evidence), ACCEPTED_COLUMNS),
        "examples": _frame(_example_rows(evidence), EXAMPLE_COLUMNS),
    }


def baseline(evidence: Evidence) -> dict[str, list[float]]:
    """What the examples are held against, by column; empty where there is no earlier data set."""
    if not evidence.baseline:
        return {}
    return {
        "duration_s": [example.duration_s for example in evidence.baseline],
        "caption_words": [caption_words(example) for example in evidence.baseline],
    }


CAPTION_COLUMNS = ("id", "segment_known", "outcomes", "failed", "fine_text", "fine_words")
SEGMENT_COLUMNS = ("id", "split", "speaker", "fine", "overall", "views_complete", "seeds_distinct")
VERDICT_COLUMNS = ("id", "caption_known", "passed", "item", "explained")
ACCEPTED_COLUMNS = ("id", "text", "transcript", "fine_characters", "overall_characters", "passed", "unchanged")
EXAMPLE_COLUMNS = (
    "id", "segment_known", "split", "speaker", "duration_s", "caption_words", "fine", "captions_accepted",
    "audio_bytes",
)  # fmt: skip


def _frame(rows: Iterable[dict[str, Any]], columns: tuple[str, ...]) -> pd.DataFrame:
    escaped = ([_escaped(row[name]) for name in columns] for row in rows)
    return pd.DataFrame(list(escaped), columns=list(columns), dtype=object)


def _escaped(value: Any) -> Any:
    return html.escape(value) if isinstance(value, str) else value


def _caption_rows(evidence: Evidence) -> Iterable[dict[str, Any]]:
    known = {segment.id for segment in evidence.segments}
    judged = Counter(verdict.caption_id for verdict in evidence.verdicts)
    failed = Counter(failure.id for failure in evidence.failures if failure.outcome == "failed")
    for caption in evidence.captions:
        fine = caption.kind == "fine"
        yield {
            "id": caption.id or None,
            "segment_known": caption.segment_id in known,
            "outcomes": judged[caption.id] + failed[caption.id],
            "failed": failed[caption.id] > 0,
            "fine_text": caption.text if fine else None,
            "fine_words": fingerprint(caption.text) if fine else None,
        }


def _segment_rows(evidence: Evidence) -> Iterable[dict[str, Any]]:
    fine, overall = _by_segment(evidence.captions, "fine"), _by_segment(evidence.captions, "global")
    views = {caption.view for caption in evidence.captions if caption.kind == "fine" and caption.model}
    for segment in evidence.segments:
        generated = [caption for caption in fine[segment.id] if caption.model]
        seeds = {caption.seed for caption in generated}
        yield {
            "id": segment.id or None,
            "split": segment.split,
            "speaker": segment.speaker,
            "fine": len(fine[segment.id]),
            "overall": len(overall[segment.id]),
            "views_complete": {caption.view for caption in generated} == views if generated else None,
            "seeds_distinct": len(seeds) == len(generated) if generated else None,
        }


def _by_segment(captions: Iterable[Caption], kind: str) -> dict[str, list[Caption]]:
    groups: dict[str, list[Caption]] = defaultdict(list)
    for caption in captions:
        if caption.kind == kind:
            groups[caption.segment_id].append(caption)
    return groups


def _verdict_rows(evidence: Evidence) -> Iterable[dict[str, Any]]:
    known = {caption.id for caption in evidence.captions}
    for verdict in evidence.verdicts:
        yield {
            "id": verdict.caption_id or None,
            "caption_known": verdict.caption_id in known,
            "passed": verdict.passed,
            "item": verdict.item,
            "explained": verdict.passed == (verdict.item == ""),
        }


def _accepted_rows(evidence: Evidence) -> Iterable[dict[str, Any]]:
    written = {caption.id: caption for caption in evidence.captions}
    passed = {verdict.caption_id for verdict in evidence.verdicts if verdict.passed}
    said = {segment.id: segment.transcript for segment in evidence.segments}
    for caption in evidence.accepted:
        fine = caption.kind == "fine"
        yield {
            "id": caption.id or None,
            "text": caption.text,
            "transcript": said.get(caption.segment_id) or None,
            "fine_characters": len(caption.text) if fine else None,
            "overall_characters": None if fine else len(caption.text),
            "passed": caption.id in passed,
            "unchanged": written.get(caption.id) == caption,
        }


def caption_words(example: Example) -> float:
    """Words of a fine caption of this example, on average."""
    return sum(len(words(text)) for text in example.fine) / max(1, len(example.fine))


def _example_rows(evidence: Evidence) -> Iterable[dict[str, Any]]:
    known = {segment.id: segment for segment in evidence.segments}
    texts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for caption in evidence.accepted:
        texts[caption.segment_id, caption.kind].add(caption.text)
    for example in evidence.examples:
        fine, overall = texts[example.segment_id, "fine"], texts[example.segment_id, "global"]
        yield {
            "id": example.segment_id or None,
            "segment_known": example.segment_id in known,
            "split": example.split,
            "speaker": example.speaker,
            "duration_s": example.duration_s,
            "caption_words": caption_words(example),
            "fine": len(example.fine),
            "captions_accepted": fine.issuperset(example.fine) and overall.issuperset(example.overall),
            "audio_bytes": example.audio_length,
        }

"""The rows that are judged, laid out as one table a suite, a batch of rows at a time.

Everything a rule needs beyond a row (has this caption a verdict, has this segment all views) is looked up here and put
into a column, so that a rule reads one column of any batch and a failing one can name rows. Text is escaped before it
leaves this module: Data Docs render values as they are, and a caption may hold markup.
"""

import html
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from clsp.records import Caption, Example, Segment, Verdict
from data_quality.crossings import Crossings, text_key
from data_quality.drift import DRIFTING
from data_quality.evidence import Evidence, Rows, batches
from data_quality.keys import Counted, hashes
from data_quality.wording import fingerprint, words

Columns = Mapping[str, Iterable[Any]]


def frames(evidence: Evidence, crossings: Crossings) -> dict[str, Iterator[pd.DataFrame]]:
    """The table of every suite by its name, in batches (one that is empty where there are no rows).

    Each has a column ``id`` that names its rows.
    """
    return {
        "captions": _frames(evidence.captions, lambda rows: _caption_columns(rows, crossings)),
        "segments": _frames(evidence.segments, lambda rows: _segment_columns(rows, crossings)),
        "verdicts": _frames(evidence.verdicts, lambda rows: _verdict_columns(rows, crossings)),
        "accepted": _frames(evidence.accepted, lambda rows: _accepted_columns(rows, crossings)),
        "examples": _frames(evidence.examples, lambda rows: _example_columns(rows, crossings)),
    }


def drifting_values(examples: Rows[Example]) -> dict[str, Any]:
    """The columns whose drift is judged (float64): 16 bytes of memory an example."""
    values = np.empty((len(DRIFTING), len(examples)))
    for place, example in enumerate(examples):
        values[:, place] = example.duration_s, caption_words(example)
    return dict(zip(DRIFTING, values, strict=True))


def _frames(rows: Iterable[Any], columns: Callable[[Sequence[Any]], Columns]) -> Iterator[pd.DataFrame]:
    empty = True
    for batch in batches(rows):
        empty = False
        yield _frame(columns(batch))
    if empty:
        yield _frame(columns([]))


def _frame(columns: Columns) -> pd.DataFrame:
    return pd.DataFrame({name: [*map(_escaped, values)] for name, values in columns.items()}, dtype=object)


def _escaped(value: Any) -> Any:
    return html.escape(value) if isinstance(value, str) else value


def _identity(names: Sequence[str], counted: Counted) -> Columns:
    return {"id": [name or None for name in names], "rows_with_this_id": _rows(names, counted)}


def _rows(texts: Sequence[str | None], counted: Counted) -> list[int | None]:
    """How many rows have each of ``texts``; None where there is none."""
    counts = counted.of(hashes(text or "" for text in texts)).tolist()
    return [max(1, rows) if text else None for text, rows in zip(texts, counts, strict=True)]


def _caption_columns(rows: Sequence[Caption], crossings: Crossings) -> Columns:
    names, known = [caption.id for caption in rows], crossings.captions
    keys = hashes(names)
    failed = crossings.verdicts.failed.of(keys)
    fine = [caption.text if caption.kind == "fine" else None for caption in rows]
    prints = [None if text is None else fingerprint(text) for text in fine]
    return {
        **_identity(names, known.ids),
        "segment_known": _known(crossings.segments.ids, [caption.segment_id for caption in rows]),
        "outcomes": (crossings.verdicts.judged.of(keys) + failed).tolist(),
        "failed": (failed > 0).tolist(),
        "fine_text": fine,
        "rows_with_this_text": _rows(fine, known.texts),
        "rows_with_these_words": _rows(prints, known.words),
    }


def _segment_columns(rows: Sequence[Segment], crossings: Crossings) -> Columns:
    names, captions = [segment.id for segment in rows], crossings.of_segment
    keys = hashes(names)
    generated = captions.generated.of(keys)
    complete = captions.views.of(keys) == captions.all_views
    distinct = captions.seeds.of(keys) == generated
    return {
        **_identity(names, crossings.segments.ids),
        "split": [segment.split for segment in rows],
        "speaker": [segment.speaker for segment in rows],
        "speaker_splits": crossings.segments.splits.of(hashes(segment.speaker for segment in rows)).tolist(),
        "fine": captions.fine.of(keys).tolist(),
        "overall": captions.overall.of(keys).tolist(),
        "views_complete": _where(generated > 0, complete),
        "seeds_distinct": _where(generated > 0, distinct),
    }


def _verdict_columns(rows: Sequence[Verdict], crossings: Crossings) -> Columns:
    names = [verdict.caption_id for verdict in rows]
    return {
        **_identity(names, crossings.verdicts.judged),
        "caption_known": _known(crossings.captions.ids, names),
        "passed": [verdict.passed for verdict in rows],
        "item": [verdict.item for verdict in rows],
        "explained": [verdict.passed == (verdict.item == "") for verdict in rows],
    }


def _accepted_columns(rows: Sequence[Caption], crossings: Crossings) -> Columns:
    names = [caption.id for caption in rows]
    return {
        **_identity(names, crossings.accepted),
        "text": [caption.text for caption in rows],
        "transcript": crossings.transcripts.of(hashes(caption.segment_id for caption in rows)),
        "fine_characters": [len(caption.text) if caption.kind == "fine" else None for caption in rows],
        "overall_characters": [None if caption.kind == "fine" else len(caption.text) for caption in rows],
        "passed": _known(crossings.verdicts.passed, names),
        "unchanged": _known(crossings.captions.contents, map(repr, rows)),
    }


def caption_words(example: Example) -> float:
    """Words of a fine caption of this example, on average."""
    return sum(len(words(text)) for text in example.fine) / max(1, len(example.fine))


def _example_columns(rows: Sequence[Example], crossings: Crossings) -> Columns:
    names = [example.segment_id for example in rows]
    return {
        **_identity(names, crossings.examples.ids),
        "segment_known": _known(crossings.segments.ids, names),
        "split": [example.split for example in rows],
        "speaker": [example.speaker for example in rows],
        "speaker_splits": crossings.examples.splits.of(hashes(example.speaker for example in rows)).tolist(),
        "duration_s": [example.duration_s for example in rows],
        "caption_words": [caption_words(example) for example in rows],
        "fine": [len(example.fine) for example in rows],
        "captions_accepted": _captions_accepted(rows, crossings.accepted_texts),
        "audio_bytes": [example.audio_length for example in rows],
    }


def _captions_accepted(rows: Sequence[Example], accepted: Counted) -> list[bool]:
    held = [
        (place, text_key(example.segment_id, kind, text))
        for place, example in enumerate(rows)
        for kind, texts in (("fine", example.fine), ("global", example.overall))
        for text in texts
    ]
    known = _known(accepted, [key for _, key in held])
    strange = {place for (place, _), found in zip(held, known, strict=True) if not found}
    return [place not in strange for place in range(len(rows))]


def _known(counted: Counted, texts: Iterable[str]) -> list[bool]:
    found: list[bool] = (counted.of(hashes(texts)) > 0).tolist()
    return found


def _where(there: Any, values: Any) -> list[bool | None]:
    return [value if held else None for held, value in zip(there.tolist(), values.tolist(), strict=True)]

"""Which clips the report shows, and all that is known about each.

The choice depends on the ids alone: some clips whose captions were rejected, one a checklist item, then clips of
different voices, held-out ones first. Tables are streamed, so a large run costs time and not memory.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from clsp.data.clips import decode_flac
from clsp.hashing import unit_interval
from clsp.records import Caption, Example, Segment, Verdict
from clsp.storage.audio_shards import ByteRange, read_sound
from pipelines.report.outputs import Outputs
from pipelines.report.views import CaptionView, ClipView

_CLIPS = 9
_REJECTED = 3
_CANDIDATES = 120
_LONGEST_SECONDS = 12.0
_PEAKS = 140
_FACTS = (
    ("pitch_hz", "pitch", "{:.0f} Hz"),
    ("rate_hz", "rate", "{:.1f} syll/s"),
    ("loudness_dbfs", "loudness", "{:.0f} dBFS"),
)


def read_clips(outputs: Outputs) -> tuple[ClipView, ...]:
    """The example clips of a run, in a fixed order; none when nothing was ingested."""
    judged = outputs.first("verdicts")
    rejected = _rejected_segments(outputs.rows(judged, "verdicts", Verdict))
    chosen = _choose(outputs.rows(outputs.first("segments"), "segments", Segment), rejected)
    wanted = {segment.id for segment in chosen}
    verdicts = {row.caption_id: row for row in outputs.rows(judged, "verdicts", Verdict) if row.segment_id in wanted}
    captions: dict[str, list[CaptionView]] = defaultdict(list)
    for row in outputs.rows(outputs.first("captions"), "captions", Caption):
        if row.segment_id in wanted:
            captions[row.segment_id].append(_caption(row, verdicts.get(row.id)))
    measures = {
        row.segment_id: row.measures
        for row in outputs.rows(outputs.last("examples"), "examples", Example)
        if row.segment_id in wanted
    }
    return tuple(_clip(outputs, segment, captions[segment.id], measures.get(segment.id, {})) for segment in chosen)


def _rejected_segments(verdicts: Iterable[Verdict]) -> list[str]:
    """One segment an item that rejected a caption, at most three, by seeded choice."""
    by_item: dict[str, tuple[float, str]] = {}
    for verdict in verdicts:
        if not verdict.passed:
            draw = unit_interval("report", verdict.item, verdict.segment_id), verdict.segment_id
            by_item[verdict.item] = min(draw, by_item.get(verdict.item, draw))
    return list(dict.fromkeys(segment for _, segment in sorted(by_item.values())))[:_REJECTED]


def _choose(segments: Iterable[Segment], rejected: list[str]) -> list[Segment]:
    named: dict[str, Segment] = {}

    def others() -> Iterator[Segment]:
        for segment in segments:
            if segment.id in rejected:
                named[segment.id] = segment
            elif segment.duration_s <= _LONGEST_SECONDS:
                yield segment

    drawn = heapq.nsmallest(_CANDIDATES, others(), key=_draw)
    first_of_voice = list({segment.speaker: segment for segment in reversed(drawn)}.values())[::-1]
    rest = [segment for segment in drawn if segment not in first_of_voice]
    chosen = [named[segment] for segment in rejected if segment in named]
    return [*[*first_of_voice, *rest][: _CLIPS - len(chosen)], *chosen]


def _draw(segment: Segment) -> tuple[bool, float]:
    return segment.split != "test", unit_interval("report", segment.id)


def _caption(row: Caption, verdict: Verdict | None) -> CaptionView:
    if verdict is None:
        return CaptionView(row.kind, row.text, None, "", "")
    return CaptionView(row.kind, row.text, verdict.passed, verdict.item, verdict.reason)


def _clip(outputs: Outputs, segment: Segment, captions: list[CaptionView], measures: dict[str, float]) -> ClipView:
    place = ByteRange(segment.audio_key, segment.audio_offset, segment.audio_length)
    flac = read_sound(outputs.store, place)
    samples = decode_flac(flac, segment.id).numpy()
    facts = tuple(
        (label, form.format(measures[name]).replace("-", "−")) for name, label, form in _FACTS if name in measures
    )
    return ClipView(
        segment_id=segment.id,
        split=segment.split,
        speaker=segment.speaker,
        duration_s=segment.duration_s,
        transcript=segment.transcript,
        flac=flac,
        peaks=_peaks(samples),
        facts=facts,
        captions=tuple(_folded(sorted(captions, key=lambda row: (row.kind != "global", row.passed is False)))),
    )


def _folded(captions: Iterable[CaptionView]) -> Iterator[CaptionView]:
    """Shows the first caption of each kind that was not rejected, and every rejected one."""
    shown: set[str] = set()
    for caption in captions:
        yield replace(caption, folded=caption.passed is not False and caption.kind in shown)
        shown |= {caption.kind}


def _peaks(samples: Any) -> tuple[float, ...]:
    peaks = [float(np.abs(part).max(initial=0.0)) for part in np.array_split(samples, _PEAKS)]
    loudest = max(peaks) or 1.0
    return tuple(peak / loudest for peak in peaks)

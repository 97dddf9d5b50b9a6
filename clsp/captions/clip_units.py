"""Captions with their segments, in units of whole clips, planned once and read a unit at a time.

Captions mostly lie in the order of their segments, a segment's own together; then a unit is two stretches of rows,
and a plan of millions is small. Where they do not, everything is grouped in memory.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, cast

import orjson

from clsp.captions.units import Units
from clsp.errors import DataError
from clsp.hashing import canonical_json
from clsp.records import Caption, Segment
from clsp.storage.manifest import Manifest, read_rows
from clsp.storage.objects import ObjectStore
from clsp.storage.slices import RowSlices


@dataclass(frozen=True)
class Clip:
    """A segment and all its captions."""

    segment: Segment
    captions: tuple[Caption, ...]


@dataclass(frozen=True)
class Span:
    """Captions ``start`` … ``stop`` - 1, of segments among ``first`` … ``last``."""

    start: int
    stop: int
    first: int
    last: int


@dataclass(frozen=True)
class ClipUnits:
    """Units of a verify step; each is a ``Span``, or the clips themselves where captions lie scattered."""

    units: Units
    captions: int
    _segment_rows: RowSlices[Segment]
    _caption_rows: RowSlices[Caption]

    def load(self, unit: object) -> Sequence[Clip]:
        """The clips of a unit."""
        if not isinstance(unit, Span):
            return cast("Sequence[Clip]", unit)
        known = {segment.id: segment for segment in self._segment_rows.read(unit.first, unit.last + 1)}
        return group_by_segment(self._caption_rows.read(unit.start, unit.stop), known)


def plan_clips(store: ObjectStore, segments: Manifest, captions: Manifest, each: int, plan_key: str) -> ClipUnits:
    """Units of at most ``each`` captions (0: by how many there are), or of one clip that has more.

    The plan is kept under ``plan_key``, so that a restart of millions of rows reads none of them for it.
    ``DataError`` when captions are of segments that ``segments`` does not hold.
    """
    of_segments = RowSlices(store, segments.of_kind("segments"), Segment)
    of_captions = RowSlices(store, captions.of_kind("captions"), Caption)
    each = each or max(64, min(4096, len(of_captions) // 1000))
    spans = _planned(store, plan_key) or _plan(of_segments, of_captions, each)
    if spans is None:
        known = {segment.id: segment for segment in read_rows(store, segments, "segments", Segment)}
        clips = group_by_segment(read_rows(store, captions, "captions", Caption), known)
        units: Sequence[Any] = list(pack(clips, each))
    else:
        store.put_if_absent(plan_key, canonical_json([[s.start, s.stop, s.first, s.last] for s in spans]))
        units = spans
    named = [(f"{number:06d}", unit) for number, unit in enumerate(units)]
    return ClipUnits(named, len(of_captions), of_segments, of_captions)


def _planned(store: ObjectStore, key: str) -> list[Span] | None:
    return [Span(*row) for row in orjson.loads(store.get(key))] if store.exists(key) else None


def _plan(segments: RowSlices[Segment], captions: RowSlices[Caption], each: int) -> list[Span] | None:
    """Spans, by one walk along both; None where captions do not follow the order of their segments."""
    spans: list[Span] = []
    order = enumerate(segments.column("id"))
    start = 0
    for name, run in groupby(captions.column("segment_id")):
        stop = start + sum(1 for _ in run)
        place = next((number for number, segment in order if segment == name), None)
        if place is None:
            return None
        last = spans[-1] if spans else None
        if last and stop - last.start <= each:
            spans[-1] = Span(last.start, stop, last.first, place)
        else:
            spans.append(Span(start, stop, place, place))
        start = stop
    return spans


def group_by_segment(captions: Iterable[Caption], known: Mapping[str, Segment]) -> list[Clip]:
    """Clips in the order in which their segments first have a caption; ``DataError`` for an unknown segment."""
    groups: dict[str, list[Caption]] = defaultdict(list)
    for caption in captions:
        groups[caption.segment_id].append(caption)
    strange = sorted(groups.keys() - known.keys())
    if strange:
        raise DataError(
            f"captions of {len(strange)} segments that the segments' manifest does not hold, first {strange[0][:12]}",
            hint="give verify the segments that the captions were made from",
        )
    return [Clip(known[name], tuple(group)) for name, group in groups.items()]


def pack(clips: Iterable[Clip], captions: int) -> Iterator[list[Clip]]:
    """Units of whole clips with at most ``captions`` captions, or of one clip that has more."""
    unit: list[Clip] = []
    held = 0
    for clip in clips:
        if unit and held + len(clip.captions) > captions:
            yield unit
            unit, held = [], 0
        unit.append(clip)
        held += len(clip.captions)
    if unit:
        yield unit

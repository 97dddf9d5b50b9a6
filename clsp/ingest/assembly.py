"""From the pieces of all units to segments: repeats dropped, speakers named, splits drawn, sums made.

Only the whole can settle these, so they are settled over rows, unit by unit and twice through: once to count, once
to write. The sounds stay in the shards that the units wrote.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import JsonValue

from clsp.config import IngestSettings
from clsp.errors import DataError
from clsp.ingest.intake import Intake
from clsp.ingest.matching import Matches, match_entries
from clsp.ingest.metadata import Entry
from clsp.ingest.pieces import STEP
from clsp.ingest.speakers import ENOUGH, name_speakers
from clsp.ingest.splits import split_groups
from clsp.ingest.units import StoredPiece, shards_of
from clsp.logs import get_logger
from clsp.records import Failure, Segment, Split
from clsp.storage import ObjectStore
from clsp.storage.ledger import UnitResult
from clsp.storage.manifest import Counts, Shard, read_shard, save_rows
from clsp.storage.rows import decode_rows
from clsp.storage.steps import Outcome

Grouping = Literal["speaker", "file", "segment"]
_SHOWN = 10
log = get_logger(__name__)


@dataclass
class _Survey:
    """What the first time through counts: new pieces by who, where and what they are; repeats; used shards."""

    sizes: dict[Grouping, Counter[str]] = field(
        default_factory=lambda: {"speaker": Counter(), "file": Counter(), "segment": Counter()}
    )
    repeats: list[Failure] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    seconds: float = 0.0


@dataclass(frozen=True)
class _Plan:
    """Everything about a recording and a group that a segment's row needs."""

    entries: Mapping[str, Entry]
    speakers: Mapping[str, str]
    by: Grouping
    splits: Mapping[str, Split]
    licence: str

    def segment(self, piece: StoredPiece) -> Segment:
        entry = self.entries.get(piece.file, Entry(piece.file))
        return Segment(
            id=piece.id,
            source=piece.file,
            start_s=piece.start_s,
            duration_s=piece.duration_s,
            split=self.splits[_group(piece, self.by, self.speakers)],
            speaker=self.speakers[piece.file],
            gender=entry.gender,
            accent=entry.accent,
            language=entry.language,
            transcript=entry.transcript,
            licence=entry.licence or self.licence,
            tags=dict(entry.tags),
            audio_key=piece.audio_key,
            audio_offset=piece.audio_offset,
            audio_length=piece.audio_length,
        )


def assemble(store: ObjectStore, results: list[UnitResult], intake: Intake, settings: IngestSettings) -> Outcome:
    """The step's outcome; ``DataError`` with the reasons when no piece at all can be used."""
    matches = match_entries(intake.metadata, [file.name for file in intake.listing.files])
    speakers = _speakers(intake, matches, settings)
    survey = _survey(store, results, speakers)
    failures, reasons = _failures(store, results, survey)
    accepted = len(survey.sizes["segment"])
    if not accepted:
        raise _nothing_usable(reasons)
    plan = _plan(matches, speakers, survey, settings)
    segments = tuple(_segment_shards(store, results, plan))
    audio = tuple(shard for shard in shards_of(results, "audio") if shard.key in survey.used)
    rejected, failed = _named(reasons, "rejected"), _named(reasons, "failed")
    rows_in = accepted + sum(reasons.values())
    counts = Counts(unit="segments", rows_in=rows_in, accepted=accepted, rejected=rejected, failed=failed)
    return Outcome("segments", segments + audio + failures, counts, _info(intake, results, matches, survey, plan))


def _speakers(intake: Intake, matches: Matches, settings: IngestSettings) -> dict[str, str]:
    readable = [file.name for file in intake.listing.files if not file.problem]
    named = name_speakers(readable, settings.speaker_from, settings.speaker_depth)
    return named | {name: entry.speaker for name, entry in matches.by_file.items() if entry.speaker}


def _new_pieces(store: ObjectStore, results: list[UnitResult]) -> Iterator[list[tuple[StoredPiece, bool]]]:
    """The pieces of each unit, and whether each is the first of its id."""
    seen: set[str] = set()
    for shard in shards_of(results, "pieces"):
        judged = []
        for piece in decode_rows(StoredPiece, read_shard(store, shard)):
            judged.append((piece, piece.id not in seen))
            seen.add(piece.id)
        yield judged


def _survey(store: ObjectStore, results: list[UnitResult], speakers: Mapping[str, str]) -> _Survey:
    survey = _Survey()
    for pieces in _new_pieces(store, results):
        for piece, new in pieces:
            if not new:
                survey.repeats.append(_repeat(piece))
                continue
            for by, sizes in survey.sizes.items():
                sizes[_group(piece, by, speakers)] += 1
            survey.used.add(piece.audio_key)
            survey.seconds += piece.duration_s
    return survey


def _repeat(piece: StoredPiece) -> Failure:
    return Failure(f"{piece.file}#{piece.start_s:.3f}", STEP, "rejected", "duplicate", f"same samples as {piece.id}", 1)


def _group(piece: StoredPiece, by: Grouping, speakers: Mapping[str, str]) -> str:
    return {"speaker": speakers[piece.file], "file": piece.file, "segment": piece.id}[by]


def _failures(
    store: ObjectStore, results: list[UnitResult], survey: _Survey
) -> tuple[tuple[Shard, ...], Counter[tuple[str, str]]]:
    """The shards of all rows that end here, and how many there are by (outcome, reason)."""
    shards = [shard for shard in shards_of(results, "failures") if shard.rows]
    if survey.repeats:
        shards.append(save_rows(store, "failures", Failure, survey.repeats))
    rows = (row for shard in shards for row in decode_rows(Failure, read_shard(store, shard)))
    return tuple(shards), Counter((row.outcome, row.reason) for row in rows)


def _named(reasons: Counter[tuple[str, str]], outcome: str) -> dict[str, int]:
    return {reason: count for (kind, reason), count in sorted(reasons.items()) if kind == outcome}


def _nothing_usable(reasons: Counter[tuple[str, str]]) -> DataError:
    listed = ", ".join(f"{reason} {count}" for (_, reason), count in sorted(reasons.items()))
    return DataError(
        f"none of {sum(reasons.values())} recordings can be used: {listed}",
        hint="the reasons are explained in clsp/config/ingest.py (bounds) and clsp/audio/decode.py (formats)",
    )


def _plan(matches: Matches, speakers: Mapping[str, str], survey: _Survey, settings: IngestSettings) -> _Plan:
    enough: list[Grouping] = [by for by, sizes in survey.sizes.items() if len(sizes) >= ENOUGH]
    by = enough[0] if enough else "segment"
    if by != "speaker":
        log.warning(
            "speakers_shared_by_splits", speakers=len(survey.sizes["speaker"]), split_by=by,
            hint="fewer than three speakers: name them in the metadata, or set ingest.speaker_depth or speaker_from",
        )  # fmt: skip
    splits = split_groups(survey.sizes[by], settings.dev_share, settings.test_share, settings.seed)
    return _Plan(matches.by_file, speakers, by, splits, settings.licence)


def _segment_shards(store: ObjectStore, results: list[UnitResult], plan: _Plan) -> Iterator[Shard]:
    """One shard of rows for each unit that has any."""
    for pieces in _new_pieces(store, results):
        if rows := [plan.segment(piece) for piece, new in pieces if new]:
            yield save_rows(store, "segments", Segment, rows)


def _info(
    intake: Intake, results: list[UnitResult], matches: Matches, survey: _Survey, plan: _Plan
) -> dict[str, JsonValue]:
    sizes: Counter[str] = Counter()
    for group, count in survey.sizes[plan.by].items():
        sizes[plan.splits[group]] += count
    rates: Counter[str] = Counter()
    for result in results:
        rates.update(result["sampling_rates"])  # type: ignore[arg-type]
    return {
        "files": len(intake.listing.files),
        "hours": round(survey.seconds / 3600, 6),
        "speakers": len(survey.sizes["speaker"]),
        "segments_by_split": dict(sizes),
        "split_by": plan.by,
        "source_rates": dict(rates),
        "unmatched_metadata": _first_of(matches.unmatched),
        "ambiguous_metadata": _first_of(matches.ambiguous),
        "repeated_metadata": _first_of(matches.repeated),
    }


def _first_of(names: tuple[str, ...]) -> dict[str, JsonValue]:
    return {"count": len(names), "first": list(names[:_SHOWN])}

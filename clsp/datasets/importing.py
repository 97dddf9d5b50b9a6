"""Importing a data set: offers in, one manifest of segments with their audio and captions out.

Offers are prepared in units that the ledger remembers, so a killed import goes on where it stopped. Rows never vanish,
and the ids that found no partner are listed for both sides of the join.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from pydantic import JsonValue

from clsp.config import IngestSettings
from clsp.datasets.clips import DUPLICATE, Clip, captions_of, is_missing, prepare, refuse, segment_of
from clsp.datasets.identity import identify
from clsp.datasets.joining import Join, open_join, read_captions
from clsp.datasets.offers import Captions, Offer
from clsp.datasets.readers import reader
from clsp.errors import DataError
from clsp.progress import Progress
from clsp.records import Caption, Failure, Segment
from clsp.storage import ObjectStore
from clsp.storage.audio_shards import save_audio
from clsp.storage.ledger import Ledger, UnitResult
from clsp.storage.manifest import Counts, Manifest, Shard, save_rows
from clsp.storage.rows import in_chunks
from clsp.storage.steps import Outcome, make_recipe, run_step

STEP = "import"
CLIPS_PER_UNIT = 256


@dataclass(frozen=True)
class Request:
    """What to import: the format, its places, captions beside it, the root of its audio, its name, its split."""

    format: str
    places: tuple[Path, ...]
    name: str
    captions: Path | None = None
    audio_root: Path | None = None
    split: str = "train"

    def identity(self) -> list[JsonValue]:
        """What says that two imports read the same."""
        return identify([*self.places, *([self.captions] if self.captions else [])])


@dataclass(frozen=True)
class Imported:
    """A finished import and the ids that found no partner."""

    manifest: str
    counts: Counts
    unmatched_audio: tuple[str, ...]
    unmatched_captions: tuple[str, ...]

    def summary(self) -> dict[str, JsonValue]:
        """The answer of ``clsp import data --json`` (design section 4)."""
        return {
            "manifest": self.manifest,
            "rows_in": self.counts.rows_in,
            "accepted": self.counts.accepted,
            "rejected": self.counts.rejected_total,
            "failed": self.counts.failed_total,
            "unmatched_audio": list(self.unmatched_audio),
            "unmatched_captions": list(self.unmatched_captions),
            "reasons": {**self.counts.rejected, **self.counts.failed},
        }


def import_data(store: ObjectStore, request: Request, settings: IngestSettings) -> Imported:
    """Run the import, or find the one that was run; ``DataError`` when no clip at all can be used."""
    decisive = {"format": request.format, "name": request.name, "split": request.split, "files": request.identity()}
    recipe = make_recipe(STEP, {**decisive, "ingest": settings.decisive()})
    result = run_step(store, recipe, (), lambda ledger: _body(store, ledger, request, settings))
    return Imported(result.name, result.manifest.counts, *_unmatched(result.manifest))


def _body(store: ObjectStore, ledger: Ledger, request: Request, settings: IngestSettings) -> Outcome:
    with open_join() as join:
        if request.captions:
            join.add_captions(read_captions(request.captions))
        offers = reader(request.format)(request.places, request.audio_root)
        joined = (_joined(join, offer) for offer in offers)
        results = list(_units(ledger, joined, _Importer(store, request, settings)))
        info: dict[str, JsonValue] = {"name": request.name, "format": request.format}
        has_captions = request.captions is not None or any(_shards(results, "captions"))
        info["unmatched_audio"] = [*join.unmatched_audio()] if has_captions else []
        info["unmatched_captions"] = [*join.unmatched_captions(), *_without_audio(results)]
    return _outcome(results, info)


def _joined(join: Join, offer: Offer) -> tuple[Offer, Captions, bool]:
    new = join.is_new(offer.id, has_sound=offer.sound is not None)
    return offer, join.captions_of(offer.id, offer.captions) if new else Captions(), new


def _units(
    ledger: Ledger, joined: Iterable[tuple[Offer, Captions, bool]], importer: "_Importer"
) -> Iterator[UnitResult]:
    done = ledger.done()
    with Progress(STEP, 0, "units") as progress:
        for number, chunk in enumerate(in_chunks(joined, CLIPS_PER_UNIT)):
            name = f"{number:08d}"
            yield done[name] if name in done else ledger.record(name, importer.work(chunk))
            progress.advance()


@dataclass(frozen=True)
class _Importer:
    store: ObjectStore
    request: Request
    settings: IngestSettings

    def work(self, chunk: Sequence[tuple[Offer, Captions, bool]]) -> UnitResult:
        """Prepare a unit's offers and write its shards; the result names them and the reasons."""
        clips: list[tuple[Clip, Captions]] = []
        failures: list[Failure] = []
        for offer, captions, new in chunk:
            made = prepare(offer, self.settings) if new else refuse(offer, "rejected", DUPLICATE)
            if isinstance(made, Clip):
                clips.append((made, captions))
            else:
                failures.append(made)
        shards = [*self._save(clips), *([save_rows(self.store, "failures", Failure, failures)] if failures else [])]
        result: dict[str, Any] = {
            "shards": [shard.model_dump(mode="json") for shard in shards],
            "accepted": len(clips),
            "rejected": dict(Counter(row.reason for row in failures if row.outcome == "rejected")),
            "failed": dict(Counter(row.reason for row in failures if row.outcome == "failed")),
            "rates": dict(Counter(str(clip.rate) for clip, _ in clips)),
            "without_audio": [offer.id for offer, captions, _ in chunk if captions and is_missing(offer)],
        }
        return result

    def _save(self, clips: Sequence[tuple[Clip, Captions]]) -> Iterator[Shard]:
        if not clips:
            return
        audio, places = save_audio(self.store, [clip.sound for clip, _ in clips])
        pairs = zip(clips, places, strict=True)
        rows = [segment_of(clip, place, self._split, self.settings) for (clip, _), place in pairs]
        captions = [row for clip, texts in clips for row in captions_of(clip.offer, texts, self.request.name)]
        yield save_rows(self.store, "segments", Segment, rows)
        yield audio
        if captions:
            yield save_rows(self.store, "captions", Caption, captions)

    @property
    def _split(self) -> str:
        return "" if self.request.split == "speakers" else self.request.split


def _outcome(results: Sequence[UnitResult], info: dict[str, JsonValue]) -> Outcome:
    sums = cast("Sequence[dict[str, Any]]", results)
    rejected, failed, rates = (_total(sums, name) for name in ("rejected", "failed", "rates"))
    accepted = sum(result["accepted"] for result in sums)
    if not accepted:
        listed = ", ".join(f"{reason} {count}" for reason, count in sorted({**rejected, **failed}.items()))
        raise DataError(f"no clip can be used: {listed or 'none was offered'}", hint="see the format's layout: --help")
    counts = Counts(
        unit="segments",
        rows_in=accepted + sum(rejected.values()) + sum(failed.values()),
        accepted=accepted,
        rejected=rejected,
        failed=failed,
    )
    shards = [shard for kind in ("segments", "audio", "captions", "failures") for shard in _shards(results, kind)]
    return Outcome("segments", tuple(shards), counts, {**info, "source_rates": dict(rates)})


def _total(results: Sequence[dict[str, Any]], name: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for result in results:
        total.update(result[name])
    return dict(sorted(total.items()))


def _shards(results: Sequence[UnitResult], kind: str) -> Iterator[Shard]:
    for result in cast("Sequence[dict[str, Any]]", results):
        found = (Shard.model_validate(value) for value in result["shards"])
        yield from (shard for shard in found if shard.kind == kind)


def _without_audio(results: Sequence[UnitResult]) -> list[str]:
    return [clip for result in cast("Sequence[dict[str, Any]]", results) for clip in result["without_audio"]]


def _unmatched(manifest: Manifest) -> tuple[tuple[str, ...], tuple[str, ...]]:
    info = cast("dict[str, list[str]]", manifest.info)
    return tuple(info["unmatched_audio"]), tuple(info["unmatched_captions"])

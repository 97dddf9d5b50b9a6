"""A unit of ingest: some recordings whose pieces are decoded, packed into audio shards and committed together."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from clsp.config import IngestSettings
from clsp.ingest.pieces import Cuttings, EncodedPiece, cut_recording, refuse
from clsp.ingest.sources import Source, SourceFile
from clsp.records import Failure
from clsp.storage import ObjectStore
from clsp.storage.audio_shards import Sound, save_audio
from clsp.storage.ledger import UnitResult
from clsp.storage.manifest import Shard, save_rows

Unit = tuple[str, tuple[SourceFile, ...]]


@dataclass(frozen=True)
class StoredPiece:
    """A piece in its audio shard: of which recording, where in it (seconds), and the FLAC's byte range."""

    id: str
    file: str
    start_s: float
    duration_s: float
    audio_key: str
    audio_offset: int
    audio_length: int


def make_units(files: Iterable[SourceFile], settings: IngestSettings) -> list[Unit]:
    """Consecutive recordings, at most so many and so large together as ``settings`` say."""
    units: list[Unit] = []
    unit: list[SourceFile] = []
    for file in files:
        too_large = sum(other.size for other in unit) + file.size > settings.bytes_per_unit
        if unit and (too_large or len(unit) == settings.files_per_unit):
            units.append((f"{len(units):06d}", tuple(unit)))
            unit = []
        unit.append(file)
    return [*units, (f"{len(units):06d}", tuple(unit))] if unit else units


def unit_worker(
    source: Source, store: ObjectStore, settings: IngestSettings
) -> Callable[[tuple[SourceFile, ...]], UnitResult]:
    """The work on one unit: its result names the shards of pieces, sounds and failures that it wrote."""

    def work(files: tuple[SourceFile, ...]) -> UnitResult:
        packer = _Packer(store, settings.shard_bytes)
        failures: list[Failure] = []
        rates: Counter[str] = Counter()
        for file in files:
            cuttings = _cut(source, file, settings)
            packer.add(file.name, cuttings.pieces)
            failures += cuttings.failures
            rates.update([str(cuttings.sampling_rate)] if cuttings.sampling_rate else [])
        packer.flush()
        return {
            "audio": [_plain(shard) for shard in packer.shards],
            "pieces": _plain(save_rows(store, "pieces", StoredPiece, packer.pieces)),
            "failures": _plain(save_rows(store, "failures", Failure, failures)),
            "sampling_rates": dict(rates),
        }

    return work


def _cut(source: Source, file: SourceFile, settings: IngestSettings) -> Cuttings:
    if file.problem:
        return refuse(file.name, file.problem)
    with source.local(file.name) as path:
        return cut_recording(path, file.name, settings)


class _Packer:
    """Gathers pieces into audio shards of bounded size; a sound that a shard already holds is stored once in it."""

    def __init__(self, store: ObjectStore, shard_bytes: int) -> None:
        self._store, self._limit = store, shard_bytes
        self._waiting: list[tuple[str, EncodedPiece]] = []
        self.shards: list[Shard] = []
        self.pieces: list[StoredPiece] = []

    def add(self, file: str, pieces: Sequence[EncodedPiece]) -> None:
        for piece in pieces:
            if sum(len(other.flac) for _, other in self._waiting) + len(piece.flac) > self._limit:
                self.flush()
            self._waiting.append((file, piece))

    def flush(self) -> None:
        sounds = {piece.id: _sound(file, piece) for file, piece in reversed(self._waiting)}
        if not sounds:
            return
        shard, ranges = save_audio(self._store, list(sounds.values()))
        places = dict(zip(sounds, ranges, strict=True))
        self.shards.append(shard)
        self.pieces += [
            StoredPiece(piece.id, file, piece.start_s, piece.duration_s, place.key, place.offset, place.length)
            for file, piece in self._waiting
            for place in [places[piece.id]]
        ]
        self._waiting = []


def _sound(file: str, piece: EncodedPiece) -> Sound:
    return Sound(piece.id, piece.flac, {"source": file, "start_s": piece.start_s, "duration_s": piece.duration_s})


def _plain(shard: Shard) -> dict[str, JsonValue]:
    return shard.model_dump(mode="json")


def shards_of(results: Iterable[UnitResult], kind: str) -> Iterator[Shard]:
    """The shards of one kind that units wrote, in order."""
    for result in results:
        value = result[kind]
        yield from (Shard.model_validate(item) for item in (value if isinstance(value, list) else [value]))

"""Writing a finished data set for other trainers: FCaps-style manifests, WebDataset tars, Parquet.

Beside what those formats name, each row carries our own fields, so that importing an export gives the same rows.
"""

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clsp.datasets.cuts import OWN_KEY
from clsp.datasets.guards import member_name
from clsp.errors import ConfigError, DataError
from clsp.hashing import canonical_json
from clsp.progress import Progress
from clsp.records import Caption, Segment
from clsp.storage import ObjectStore
from clsp.storage.audio_shards import ByteRange, Sound, read_sound, write_tar
from clsp.storage.manifest import load_manifest, read_rows
from clsp.storage.rows import in_chunks

CLIPS_PER_SHARD = 1000
RATE = 16_000
_KEPT = ("language", "licence", "split", "source", "accent", "transcript", "start_s", "tags")
Item = tuple[Segment, list[Caption]]


def export_data(store: ObjectStore, manifests: Sequence[str], form: str, out: Path) -> list[Path]:
    """Write the segments and captions that ``manifests`` hold together; returns the files beside the audio.

    Captions may lie in the segments' own manifest or in later ones (annotate, verify). ``DataError`` when no manifest
    holds segments, ``ConfigError`` for an unknown form.
    """
    if form not in WRITERS:
        raise ConfigError(f"unknown export format {form!r}", hint=f"choose one of {', '.join(WRITERS)}")
    segments, captions = _rows(store, manifests)
    out.mkdir(parents=True, exist_ok=True)
    items = ((segment, captions.get(segment.id, [])) for segment in segments)
    with Progress("export", len(segments), "clips") as progress:
        return WRITERS[form](store, _counted(items, progress), out)


def _rows(store: ObjectStore, names: Sequence[str]) -> tuple[list[Segment], dict[str, list[Caption]]]:
    manifests = [load_manifest(store, name) for name in names]
    segments = [row for one in manifests for row in read_rows(store, one, "segments", Segment)]
    if not segments:
        raise DataError("none of the manifests holds segments", hint="name the manifest of ingest or import too")
    holders = [one for one in manifests if one.of_kind("captions")]
    captions: dict[str, list[Caption]] = defaultdict(list)
    for row in read_rows(store, holders[-1], "captions", Caption) if holders else ():
        captions[row.segment_id].append(row)
    return segments, captions


def _counted(items: Iterator[Item], progress: Progress) -> Iterator[Item]:
    for item in items:
        yield item
        progress.advance()


def _flac(store: ObjectStore, segment: Segment) -> bytes:
    return read_sound(store, ByteRange(segment.audio_key, segment.audio_offset, segment.audio_length))


def _texts(captions: Sequence[Caption], kind: str) -> list[str]:
    return [caption.text for caption in captions if caption.kind == kind]


def _own(segment: Segment, captions: Sequence[Caption]) -> dict[str, Any]:
    return {**{name: getattr(segment, name) for name in _KEPT}, "captions": [asdict(row) for row in captions]}


def _cut(segment: Segment, captions: Sequence[Caption], path: str) -> dict[str, Any]:
    """The MonoCut of a clip that is a recording of its own."""
    name, length = segment.id, segment.duration_s
    samples = round(length * RATE)
    recording = {
        "id": name, "sources": [{"type": "file", "channels": [0], "source": path}], "sampling_rate": RATE,
        "num_samples": samples, "duration": length, "channel_ids": [0],
    }  # fmt: skip
    custom = {
        **segment.tags, "accent": segment.accent, "global_captions": _texts(captions, "global"),
        "finegrained_captions": _texts(captions, "fine"), OWN_KEY: _own(segment, captions),
    }  # fmt: skip
    supervision = {
        "id": name, "recording_id": name, "start": 0.0, "duration": length, "channel": 0, "text": segment.transcript,
        "speaker": segment.speaker, "gender": segment.gender, "custom": custom,
    }  # fmt: skip
    return {
        "id": name, "start": 0.0, "duration": length, "channel": 0, "type": "MonoCut", "recording": recording,
        "supervisions": [supervision],
    }  # fmt: skip


def _write_fcaps(store: ObjectStore, items: Iterator[Item], out: Path) -> list[Path]:
    (out / "audio").mkdir(exist_ok=True)
    manifest = out / "fcaps.jsonl.gz"
    with manifest.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as file:
        for segment, captions in items:
            path = f"audio/{member_name(segment.id)}.flac"
            (out / path).write_bytes(_flac(store, segment))
            file.write(canonical_json(_cut(segment, captions, path)) + b"\n")
    return [manifest]


def _write_webdataset(store: ObjectStore, items: Iterator[Item], out: Path) -> list[Path]:
    written = []
    for number, chunk in enumerate(in_chunks(items, CLIPS_PER_SHARD)):
        sounds = [Sound(member_name(row.id), _flac(store, row), _facts(row, captions)) for row, captions in chunk]
        written.append(out / f"data-{number:06d}.tar")
        written[-1].write_bytes(write_tar(sounds)[0])
    return written


def _facts(segment: Segment, captions: Sequence[Caption]) -> dict[str, Any]:
    facts = {name: getattr(segment, name) for name in ("id", "speaker", "gender", "accent", "language", "licence")}
    texts = {"text": segment.transcript, "fine": _texts(captions, "fine"), "global": _texts(captions, "global")}
    return {**segment.tags, **facts, **texts, "duration": segment.duration_s, OWN_KEY: _own(segment, captions)}


def _write_parquet(store: ObjectStore, items: Iterator[Item], out: Path) -> list[Path]:
    written = []
    names = [one.name for one in fields(Segment) if not one.name.startswith("audio_")]
    for number, chunk in enumerate(in_chunks(items, CLIPS_PER_SHARD)):
        columns: dict[str, list[Any]] = {name: [getattr(row, name) for row, _ in chunk] for name in names}
        columns["tags"] = [sorted(row.tags.items()) for row, _ in chunk]
        columns["fine"] = [_texts(captions, "fine") for _, captions in chunk]
        columns["global"] = [_texts(captions, "global") for _, captions in chunk]
        columns["audio"] = [_flac(store, row) for row, _ in chunk]
        columns[OWN_KEY] = [canonical_json(_own(row, captions)).decode() for row, captions in chunk]
        kinds = {"tags": pa.map_(pa.string(), pa.string()), "audio": pa.binary()}
        kinds |= dict.fromkeys(("fine", "global"), pa.list_(pa.string()))
        arrays = {name: pa.array(values, type=kinds.get(name)) for name, values in columns.items()}
        written.append(out / f"data-{number:06d}.parquet")
        pq.write_table(pa.table(arrays), written[-1], compression="zstd")
    return written


WRITERS = MappingProxyType[str, Callable[[ObjectStore, Iterator[Item], Path], list[Path]]](
    {"fcaps": _write_fcaps, "webdataset": _write_webdataset, "parquet": _write_parquet}
)

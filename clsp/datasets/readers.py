"""The formats a data set may come in, each a function from its places to offers (reference 4.2 to 4.4)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import orjson
import pyarrow.parquet

from clsp.datasets.audio_root import AudioRoot
from clsp.datasets.cuts import OWN_KEY, Cut, read_cuts, restore
from clsp.datasets.guards import UNSAFE_NAME, inside, is_safe_name
from clsp.datasets.offers import Captions, Facts, Offer, Sound, facts_from, tags_from
from clsp.datasets.shar import read_shar
from clsp.datasets.tars import AUDIO, Sample, read_samples
from clsp.errors import ConfigError, DataError

Reader = Callable[[Sequence[Path], Path | None], Iterator[Offer]]
_JSON_FACTS = {
    "speaker": "speaker",
    "gender": "gender",
    "accent": "accent",
    "language": "language",
    "licence": "licence",
}
_JSON_TAGS = ("dnsmos", "phone_count", "pitch", "speaking_rate", "emotion", "age", "intrinsic_tags", "situational_tags")
_TABLE_FACTS = {"speaker": "speakerid", "gender": "gender", "accent": "accent", "transcript": "transcription"}
_TABLE_TAGS = ("pitch", "speaking_rate", "noise", "intrinsic_tags", "situational_tags", "name", "source")
_DOWNLOAD = "download/"
_SOUNDS_AT_ONCE = 32


def read_webdataset(places: Sequence[Path], _root: Path | None) -> Iterator[Offer]:
    """Tars of ``KEY.json`` and ``KEY.<audio>``: Emilia's (id or _id, text, speaker …), LAION's (caption) and ours."""
    for path in _files(places, (".tar",)):
        for sample in read_samples(path):
            yield _from_sample(sample)


def read_fcaps(places: Sequence[Path], root: Path | None) -> Iterator[Offer]:
    """lhotse manifests whose sources lie below ``root``, with or without their leading ``download/``."""
    for path in _files(places, (".jsonl", ".jsonl.gz")):
        audio = AudioRoot(root or path.parent)
        for cut in read_cuts(path):
            names = (cut.path, cut.path.removeprefix(_DOWNLOAD))
            yield _from_cut(cut, audio.find(names) or audio.find_by_stem(cut.id))


def read_paraspeechcaps(places: Sequence[Path], root: Path | None) -> Iterator[Offer]:
    """ParaSpeechCaps' Parquet tables; ``root`` holds ``relative_audio_path``, perhaps below a folder a source."""
    for path in _files(places, (".parquet",)):
        audio = AudioRoot(root or path.parent)
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches():
            for row in batch.to_pylist():
                yield _from_table(row, audio)


def read_parquet(places: Sequence[Path], _root: Path | None) -> Iterator[Offer]:
    """Parquet tables that hold the sounds too (id, audio, text or transcript, fine, global …), as our export does."""
    for path in _files(places, (".parquet",)):
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(_SOUNDS_AT_ONCE):
            yield from map(_from_row, batch.to_pylist())


def read_folder(places: Sequence[Path], _root: Path | None) -> Iterator[Offer]:
    """Every recording below the folders; its id is its path without the ending."""
    for folder in places:
        if not folder.is_dir():
            raise DataError(f"no folder {folder}", hint="give a folder of recordings")
        for path in sorted(path for path in folder.rglob("*") if path.suffix[1:].lower() in AUDIO):
            name = path.relative_to(folder).with_suffix("").as_posix()
            speaker = name.rpartition("/")[0] or name
            safe = inside(folder, path.relative_to(folder).as_posix())
            yield Offer(
                name, safe.read_bytes if safe else None, Facts(speaker=speaker), problem="" if safe else UNSAFE_NAME
            )


def _from_sample(sample: Sample) -> Offer:
    try:
        value = orjson.loads(sample.facts)
        if not isinstance(value, dict):
            raise TypeError("no object")
        clip = str(value.get("id") or value.get("_id") or sample.key)
        facts = replace(
            facts_from(value, _JSON_FACTS),
            transcript=" ".join(str(value.get("text") or "").split()),
            tags=tags_from(value, _JSON_TAGS),
        )
        captions, origin = _captions(value), None
        if OWN_KEY in value:
            facts, captions, origin = restore(facts, captions, value[OWN_KEY])
    except (ValueError, TypeError, KeyError, AttributeError):
        return Offer(sample.key, sample.sound, problem=sample.problem or "broken_json")
    problem = sample.problem or ("" if is_safe_name(clip) else UNSAFE_NAME)
    return Offer(clip, sample.sound, facts, captions, origin_s=origin, problem=problem)


def _from_row(row: dict[str, Any]) -> Offer:
    clip, audio = str(row.get("id") or ""), row.get("audio")
    sound = partial(bytes, audio) if isinstance(audio, bytes) else None
    try:
        words = str(row.get("transcript") or row.get("text") or "").split()
        facts = replace(facts_from(row, _JSON_FACTS), transcript=" ".join(words), tags=tags_from(row, _JSON_TAGS))
        captions, origin = _captions(row), None
        if row.get(OWN_KEY):
            facts, captions, origin = restore(facts, captions, orjson.loads(row[OWN_KEY]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return Offer(clip, sound, problem="broken_json")
    return Offer(clip, sound, facts, captions, origin_s=origin, problem="" if is_safe_name(clip) else UNSAFE_NAME)


def _captions(value: dict[str, Any]) -> Captions:
    fine = next((value[key] for key in ("fine", "captions", "caption") if value.get(key)), ())
    overall = value.get("global") or ()
    return Captions(_listed(fine), _listed(overall))


def _listed(value: Any) -> tuple[str, ...]:
    return tuple(str(text) for text in ([value] if isinstance(value, str) else value))


def _from_cut(cut: Cut, sound: Sound | None) -> Offer:
    problem = "" if is_safe_name(cut.id) and is_safe_name(cut.path or cut.id) else UNSAFE_NAME
    return Offer(cut.id, sound, cut.facts, cut.captions, cut.start_s, cut.duration_s, cut.origin_s, problem)


def _from_table(row: dict[str, Any], audio: AudioRoot) -> Offer:
    name, source = str(row.get("relative_audio_path") or ""), str(row.get("source") or "")
    stem = PurePosixPath(name).with_suffix("").as_posix() if name else ""
    clip = f"{source}/{stem}" if source else stem
    if not is_safe_name(name):
        return Offer(clip, None, problem=UNSAFE_NAME)
    sound = audio.find((name, f"{source}/{name}", f"{source.partition('_')[0]}/{name}"))
    facts = replace(facts_from(row, _TABLE_FACTS), tags=tags_from(row, _TABLE_TAGS))
    return Offer(clip, sound, facts, Captions(overall=_listed(row["text_description"] or ())))


def _files(places: Sequence[Path], endings: tuple[str, ...]) -> Iterator[Path]:
    """The files among ``places``, and those below its folders, that end so; ``DataError`` when there is none."""
    count = 0
    for place in places:
        if not place.exists():
            raise DataError(f"no file or folder {place}", hint="give existing places")
        inner = sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]
        for path in inner:
            if path.name.endswith(endings):
                count += 1
                yield path
    if not count:
        raise DataError(f"no {' or '.join(endings)} among the places given", hint="see clsp import data --help")


FORMATS = MappingProxyType[str, Reader](
    {
        "fcaps": read_fcaps,
        "emilia": read_webdataset,
        "paraspeechcaps": read_paraspeechcaps,
        "shar": read_shar,
        "webdataset": read_webdataset,
        "parquet": read_parquet,
        "folder": read_folder,
    }
)


def reader(name: str) -> Reader:
    """The reader of a format; ``ConfigError`` lists the formats."""
    if name not in FORMATS:
        raise ConfigError(f"unknown data format {name!r}", hint=f"choose one of {', '.join(FORMATS)}")
    return FORMATS[name]

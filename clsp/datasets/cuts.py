"""lhotse's MonoCut as FCaps and Shar hold it: one JSON object a line, either spelling of the caption lists.

Reference 1.10 and 4.1: the release says ``global_captions`` and ``finegrained_captions``, the training code says
``short_captions`` and ``long_captions``.
"""

import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from clsp.datasets.offers import Captions, Facts, facts_from, tags_from
from clsp.errors import DataError
from clsp.records import Caption

OWN_KEY = "clsp"  # what an export of ours adds, so that importing it gives the same rows
_FACTS = {"speaker": "speaker", "gender": "gender", "transcript": "text", "language": "language"}
_TAGS = ("pitch", "speaking_rate", "intrinsic_tags", "situational_tags", "dnsmos", "emotion", "age")
_FINE, _OVERALL = ("finegrained_captions", "long_captions"), ("global_captions", "short_captions")


@dataclass(frozen=True)
class Cut:
    """One clip of a manifest: where it lies in which recording (seconds), and what is said about it."""

    id: str
    path: str
    start_s: float
    duration_s: float
    facts: Facts
    captions: Captions
    origin_s: float | None = None


def read_cuts(manifest: Path) -> Iterator[Cut]:
    """The cuts of a ``.jsonl`` or ``.jsonl.gz`` file in order; ``DataError`` names the line that is none."""
    for number, line in enumerate(read_lines(manifest), start=1):
        try:
            yield parse_cut(orjson.loads(line))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise DataError(
                f"line {number} of {manifest} is no cut ({type(error).__name__}: {error})",
                hint="give one lhotse MonoCut as JSON a line",
            ) from error


def read_lines(path: Path) -> Iterator[bytes]:
    """Lines of a file that are not empty, unpacked when its name ends in ``.gz``."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from (line for line in file if line.strip())
    except (OSError, EOFError) as error:
        raise DataError(f"cannot read {path}: {error}", hint="check that it exists and is whole") from error


def parse_cut(value: Mapping[str, Any]) -> Cut:
    """One MonoCut; KeyError, TypeError or ValueError when it is none."""
    supervision: Mapping[str, Any] = (value.get("supervisions") or [{}])[0]
    custom: Mapping[str, Any] = {**(value.get("custom") or {}), **(supervision.get("custom") or {})}
    sources = value["recording"].get("sources") or [{}]
    facts = replace(
        facts_from(supervision, _FACTS), accent=str(custom.get("accent") or ""), tags=tags_from(custom, _TAGS)
    )
    cut = Cut(
        id=str(value["id"]),
        path=str(sources[0].get("source", "")),
        start_s=float(value["start"]),
        duration_s=float(value["duration"]),
        facts=facts,
        captions=Captions(_texts(custom, _FINE), _texts(custom, _OVERALL)),
    )
    return _restored(cut, custom[OWN_KEY]) if OWN_KEY in custom else cut


def restore(facts: Facts, captions: Captions, kept: Mapping[str, Any]) -> tuple[Facts, Captions, float]:
    """Facts, captions and origin exactly as the rows were that an export of ours wrote."""
    known = {name: kept[name] for name in ("language", "licence", "split", "source", "accent", "transcript")}
    rows = tuple(Caption(**row) for row in kept["captions"])
    return replace(facts, **known, tags=dict(kept["tags"])), replace(captions, rows=rows), float(kept["start_s"])


def _restored(cut: Cut, kept: Mapping[str, Any]) -> Cut:
    facts, captions, origin = restore(cut.facts, cut.captions, kept)
    return replace(cut, facts=facts, captions=captions, origin_s=origin)


def _texts(custom: Mapping[str, Any], keys: tuple[str, ...]) -> tuple[str, ...]:
    found = next((custom[key] for key in keys if custom.get(key)), ())
    return tuple(str(text) for text in ([found] if isinstance(found, str) else found))

"""What every reader gives: one clip that a data set offers, with what is known and written about it.

Nothing is decoded and no caption is joined yet; the sound is read when its turn comes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from clsp.records import Caption

Sound = Callable[[], bytes]


@dataclass(frozen=True)
class Captions:
    """Captions of one clip as texts, or (``rows``) with the provenance that an earlier export kept."""

    fine: tuple[str, ...] = ()
    overall: tuple[str, ...] = ()
    rows: tuple[Caption, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.fine or self.overall or self.rows)


@dataclass(frozen=True)
class Facts:
    """What a data set says about a clip, in the words of ``clsp.records.Segment``; '' where it says nothing."""

    speaker: str = ""
    gender: str = ""
    accent: str = ""
    language: str = ""
    transcript: str = ""
    licence: str = ""
    split: str = ""
    source: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Offer:
    """One clip. ``sound`` reads its encoded bytes (None: the data set has none); ``problem`` refuses it by a reason.

    ``duration_s`` 0 takes the recording from ``start_s`` to its end. ``origin_s`` is where the clip began in its own
    source before an earlier export cut it out.
    """

    id: str
    sound: Sound | None
    facts: Facts = Facts()
    captions: Captions = Captions()
    start_s: float = 0.0
    duration_s: float = 0.0
    origin_s: float | None = None
    problem: str = ""


def facts_from(values: Mapping[str, Any], names: Mapping[str, str]) -> Facts:
    """Facts whose fields are under ``names`` (field: key) in ``values``; keys that are absent or None say nothing."""
    known = {one.name for one in fields(Facts)} - {"tags"}
    found: dict[str, Any] = {one: _text(values.get(key)) for one, key in names.items() if one in known}
    return Facts(**found)


def tags_from(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    """Tags of ``values`` under ``names``; lists are joined by commas, empty ones left out."""
    texts = {name: _text(values.get(name)) for name in names}
    return {name: text for name, text in texts.items() if text}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value)
    return " ".join(str(value).split())

"""The typed row of every hand-over (design section 3): what one step writes and the next one reads.

Plain frozen dataclasses of scalars, tuples and maps; their Parquet columns are read off these definitions.
"""

from dataclasses import dataclass, field
from typing import Literal

Split = Literal["train", "dev", "test"]
CaptionKind = Literal["fine", "global"]


@dataclass(frozen=True)
class Segment:
    """1–30 s of 16 kHz mono speech. ``id`` is the hash of its samples; ``audio_*`` is its FLAC byte range."""

    id: str
    source: str
    start_s: float
    duration_s: float
    split: Split
    speaker: str
    gender: str
    accent: str
    language: str
    transcript: str
    licence: str
    tags: dict[str, str]
    audio_key: str
    audio_offset: int
    audio_length: int


@dataclass(frozen=True)
class Caption:
    """One description of one segment, with its whole provenance. ``model`` is '' when a person wrote it."""

    id: str
    segment_id: str
    kind: CaptionKind
    view: int
    text: str
    model: str
    model_revision: str
    prompt_hash: str
    seed: int
    sampling: dict[str, float]


@dataclass(frozen=True)
class Verdict:
    """The judgement of one caption: ``item`` names the checklist item or rule that rejected it ('' when passed).

    ``reason`` is what the judge gives for it; ``reasoning`` what a thinking judge thought before, cut short.
    """

    caption_id: str
    segment_id: str
    kind: CaptionKind
    passed: bool
    item: str
    reason: str
    judge: str
    prompt_hash: str
    judge_revision: str = ""
    seed: int = 0
    sampling: dict[str, float] = field(default_factory=dict)
    reasoning: str = ""


@dataclass(frozen=True)
class Example:
    """One segment that can be trained or tested on: its sound, its captions that passed, what it is selected by."""

    segment_id: str
    split: Split
    speaker: str
    duration_s: float
    licence: str
    language: str
    fine: tuple[str, ...]
    overall: tuple[str, ...]
    audio_key: str
    audio_offset: int
    audio_length: int
    measures: dict[str, float]


@dataclass(frozen=True)
class Failure:
    """A row that did not go on: rejected or failed, why, and after how many attempts."""

    id: str
    step: str
    outcome: Literal["rejected", "failed"]
    reason: str
    detail: str
    attempts: int


@dataclass(frozen=True)
class ModelVersion:
    """A registered model: where its immutable directory is and what it was made of."""

    name: str
    version: str
    uri: str
    sha256: str
    manifest: str

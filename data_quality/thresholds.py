"""The numbers that data is judged by: typed, frozen, written in ``thresholds.yaml`` and nowhere else.

No field has a default here, so that a threshold cannot exist without a line an operator can find.
"""

from importlib.resources import files
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from clsp.config import parse_settings
from clsp.config.base import Section
from clsp.errors import ConfigError
from clsp.records import Split

Share = Annotated[float, Field(ge=0, le=1)]


class CaptionThresholds(Section):
    """Captions as the captioner wrote them."""

    max_failed_share: Share
    max_duplicate_share: Share
    max_near_duplicate_share: Share
    min_distinct_word_share: Share
    distinct_word_window: int = Field(ge=1)


class SegmentThresholds(Section):
    """Captions a segment."""

    max_captionless_share: Share
    max_fine: int = Field(ge=1)
    max_global: int = Field(ge=0)
    max_incomplete_share: Share


class VerdictThresholds(Section):
    """Shares that the verifier may reject."""

    max_rejected_share: Share
    max_rejected_share_of_item: Share
    max_rejected_share_by_item: dict[str, Share]


class AcceptedThresholds(Section):
    """Captions that passed the verifier."""

    min_fine_characters: int = Field(ge=1)
    max_fine_characters: int = Field(ge=1)
    min_global_characters: int = Field(ge=1)
    negations: tuple[str, ...] = Field(min_length=1)
    several_speakers: tuple[str, ...] = Field(min_length=1)
    leak_words: int = Field(ge=2)
    max_leaking_share: Share
    min_english_share: Share
    max_foreign_share: Share


class ExampleThresholds(Section):
    """Rows that can be trained on."""

    min_seconds: float = Field(ge=0)
    max_seconds: float = Field(gt=0)
    min_by_split: dict[Split, int]
    max_drift: dict[Literal["duration_s", "caption_words"], float]
    min_examples_for_drift: int = Field(ge=1)


class Thresholds(Section):
    """All thresholds, a group a table."""

    captions: CaptionThresholds
    segments: SegmentThresholds
    verdicts: VerdictThresholds
    accepted: AcceptedThresholds
    examples: ExampleThresholds


def load_thresholds(changes: str = "") -> Thresholds:
    """The built-in thresholds with the keys of the YAML text ``changes`` put in; ``ConfigError`` names wrong keys."""
    built_in = yaml.safe_load(files("data_quality").joinpath("thresholds.yaml").read_text())
    return parse_settings(Thresholds, _changed(built_in, _parse(changes)))


def _parse(text: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(
            f"quality.thresholds is not YAML: {error}", hint="see data_quality/thresholds.yaml"
        ) from error
    if not isinstance(values, dict) or not all(isinstance(group, dict) for group in values.values()):
        raise ConfigError(
            "quality.thresholds must hold groups of keys",
            hint="for example 'examples: {max_seconds: 20}'; see data_quality/thresholds.yaml",
        )
    return values


def _changed(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {**values, **{group: {**values.get(group, {}), **keys} for group, keys in changes.items()}}

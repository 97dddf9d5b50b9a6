"""What every corpus gives: a clip's file and what people know about it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from clsp.errors import DataError

_AGE_BOUNDS = ((20, "child"), (40, "adult"), (60, "middle-aged"))


@dataclass(frozen=True)
class LabelledClip:
    """One recording, the class it belongs to, and its speaker; ``age`` is 0 where nobody noted it."""

    path: Path
    label: str
    speaker: str
    gender: str = ""
    age: int = 0

    def with_label(self, label: str) -> Self:
        """The same clip under another class."""
        return replace(self, label=label)


def age_group(age: int) -> str:
    """The bin of an age in years: under 20, under 40, under 60, older (reference 1.11)."""
    return next((name for bound, name in _AGE_BOUNDS if age < bound), "elder")


def require(clips: list[LabelledClip], folder: Path, expected: str) -> list[LabelledClip]:
    """``clips`` unless there are none; then ``DataError`` telling the layout that was ``expected``."""
    if not clips:
        raise DataError(f"no labelled clip in {folder}", hint=f"expected {expected}")
    return clips

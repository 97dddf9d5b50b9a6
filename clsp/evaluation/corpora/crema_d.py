"""CREMA-D: ``AudioWAV/1001_DFA_ANG_XX.wav`` beside ``VideoDemographics.csv`` (ActorID, Age, Sex, …).

A ``test.json`` in the folder (the HEAR layout: file name to labels) narrows the clips to its test split.
"""

import csv
import json
from pathlib import Path

from clsp.errors import DataError
from clsp.evaluation.corpora.labels import LabelledClip, require

_EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
_PARTS = 4


def read_crema_d(folder: Path) -> list[LabelledClip]:
    """Clips of ``folder``; ``DataError`` when there are none, or when a clip's actor is in no row of the table."""
    people, chosen = _people(folder / "VideoDemographics.csv"), _chosen(folder / "test.json")
    paths = [path for path in sorted(folder.rglob("*.wav")) if chosen is None or path.name in chosen]
    clips = [clip for path in paths if (clip := _clip(path, people))]
    return require(clips, folder, "AudioWAV/1001_DFA_ANG_XX.wav and so on, and VideoDemographics.csv")


def _people(table: Path) -> dict[str, tuple[int, str]]:
    if not table.is_file():
        raise DataError(f"no {table.name} in {table.parent}", hint="it comes with CREMA-D and holds age and sex")
    with table.open(newline="") as file:
        return {row["ActorID"]: (int(row["Age"]), row["Sex"].lower()) for row in csv.DictReader(file)}


def _chosen(split: Path) -> set[str] | None:
    return set(json.loads(split.read_text())) if split.is_file() else None


def _clip(path: Path, people: dict[str, tuple[int, str]]) -> LabelledClip | None:
    actor, *rest = path.stem.split("_")
    if len(rest) != _PARTS - 1 or rest[1] not in _EMOTIONS:
        return None
    if actor not in people:
        raise DataError(f"actor {actor} of {path.name} is not in VideoDemographics.csv", hint="use the whole table")
    age, gender = people[actor]
    return LabelledClip(path, _EMOTIONS[rest[1]], actor, gender, age)

"""IEMOCAP: ``SessionN/dialog/EmoEvaluation/DIALOG.txt`` names each turn's emotion; the sound of a turn is
``SessionN/sentences/wav/DIALOG/TURN.wav``. All five sessions are the test (reference 1.11).
"""

import re
from pathlib import Path

from clsp.errors import DataError
from clsp.evaluation.corpora.labels import LabelledClip, require

_EMOTIONS = {"hap": "happy", "exc": "happy", "ang": "angry", "sad": "sad", "neu": "neutral"}
_TURN = re.compile(r"^\[[\d.]+ - [\d.]+\]\t(?P<turn>\S+)\t(?P<emotion>\w+)\t")
_GENDERS = {"F": "female", "M": "male"}


def read_iemocap(folder: Path) -> list[LabelledClip]:
    """Turns of the four classes; others are left out. ``DataError`` when a turn has no sound or there is none."""
    clips: list[LabelledClip] = []
    for table in sorted(folder.glob("Session*/dialog/EmoEvaluation/Ses*.txt")):
        sounds = table.parents[2] / "sentences" / "wav" / table.stem
        found = (_TURN.match(line) for line in table.read_text(errors="replace").splitlines())
        clips += [
            _clip(sounds, turn["turn"], turn["emotion"]) for turn in found if turn and turn["emotion"] in _EMOTIONS
        ]
    return require(clips, folder, "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt and its sentences/wav")


def _clip(sounds: Path, turn: str, emotion: str) -> LabelledClip:
    path = sounds / f"{turn}.wav"
    if not path.is_file():
        raise DataError(f"turn {turn} has no sound", hint=f"expected {path}")
    gender = turn.rpartition("_")[2][:1]
    return LabelledClip(path, _EMOTIONS[emotion], f"{turn[:5]}{gender}", _GENDERS.get(gender, ""))

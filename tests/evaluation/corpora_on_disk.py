"""Small emotional-speech corpora in their published layouts; each class is a tone of its own pitch."""

from pathlib import Path

import soundfile

from tests.tiny_model import tone

HERTZ = {
    "neutral": 150,
    "calm": 200,
    "happy": 300,
    "sad": 400,
    "angry": 500,
    "fear": 600,
    "disgust": 700,
    "surprised": 800,
}
_RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fear", "disgust", "surprised")
_CREMA_D = {"ANG": "angry", "DIS": "disgust", "FEA": "fear", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}


def write(path: Path, emotion: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(0.4, HERTZ[emotion]), 16_000)


def ravdess(folder: Path) -> Path:
    for actor in (1, 2):
        for number, emotion in enumerate(_RAVDESS, start=1):
            write(folder / f"Actor_{actor:02}/03-01-{number:02}-01-02-01-{actor:02}.wav", emotion)
        write(folder / f"Actor_{actor:02}/03-02-05-01-02-01-{actor:02}.wav", "calm")  # sung: no part of it
    return folder


def crema_d(folder: Path) -> Path:
    rows = ["ActorID,Age,Sex,Race,Ethnicity", "1001,17,Male,x,y", "1002,33,Female,x,y", "1003,74,Female,x,y"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "VideoDemographics.csv").write_text("\n".join(rows) + "\n")
    for actor in (1001, 1002, 1003):
        for code, emotion in _CREMA_D.items():
            write(folder / f"AudioWAV/{actor}_DFA_{code}_XX.wav", emotion)
    return folder


def iemocap(folder: Path) -> Path:
    turns = {"F000": "neu", "F001": "exc", "M000": "hap", "M001": "fru", "M002": "ang", "F002": "sad"}
    lines = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]", ""]
    for number, (turn, emotion) in enumerate(turns.items()):
        name = f"Ses01F_impro01_{turn}"
        lines.append(f"[{number}.0000 - {number}.9000]\t{name}\t{emotion}\t[2.5000, 2.5000, 2.5000]")
        lines.append("C-E2:\tNeutral;\t()")
        heard = {"neu": "neutral", "exc": "happy", "hap": "happy", "ang": "angry", "sad": "sad", "fru": "fear"}[emotion]
        write(folder / f"Session1/sentences/wav/Ses01F_impro01/{name}.wav", heard)
    table = folder / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    table.parent.mkdir(parents=True)
    table.write_text("\n".join(lines) + "\n")
    return folder

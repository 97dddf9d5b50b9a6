"""RAVDESS: the file name says everything, e.g. ``Actor_02/03-01-05-01-02-01-02.wav``.

Seven numbers: modality (03 audio), channel (01 speech), emotion, intensity, statement, repetition, actor. Even actors
are female.
"""

from pathlib import Path

from clsp.evaluation.corpora.labels import LabelledClip, require

_EMOTIONS = {
    "01": "neutral", "02": "calm", "03": "happy", "04": "sad", "05": "angry", "06": "fear", "07": "disgust",
    "08": "surprised",
}  # fmt: skip
_AUDIO, _SPEECH = "03", "01"


def read_ravdess(folder: Path) -> list[LabelledClip]:
    """Spoken audio-only clips below ``folder``; song and video are left out. ``DataError`` when there are none."""
    named = {path.name: path for path in sorted(folder.rglob("*.wav"))}  # some copies hold every clip in two folders
    clips = [clip for path in named.values() if (clip := _clip(path))]
    return require(clips, folder, "Actor_01/03-01-01-01-01-01-01.wav and so on")


def _clip(path: Path) -> LabelledClip | None:
    match path.stem.split("-"):
        case [modality, channel, emotion, _, _, _, actor] if (modality, channel) == (_AUDIO, _SPEECH):
            if emotion not in _EMOTIONS or not actor.isdigit():
                return None
            gender = "male" if int(actor) % 2 else "female"
            return LabelledClip(path, _EMOTIONS[emotion], actor, gender)
    return None

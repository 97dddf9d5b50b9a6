"""Writing a synthetic corpus as an operator's folder looks: a folder a speaker, and metadata beside it.

What the plans know beyond metadata (settings and changes) goes into a separate truth file, so that no step of the
flow can learn from it by accident.
"""

import csv
import wave
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clsp.audio.synthesis.espeak import SAMPLING_RATE
from clsp.audio.synthesis.plans import ClipPlan
from clsp.audio.synthesis.speech import synthesise

LANGUAGE = "en"
LICENCE = "CC0-1.0"
METADATA, TRUTH = "metadata.csv", "truth.csv"


def write_corpus(directory: Path, plans: Sequence[ClipPlan], progress: Callable[[int], object] | None = None) -> None:
    """Write ``SPEAKER/NAME.wav`` (16 bit), ``metadata.csv`` and ``truth.csv``; equal plans give equal bytes.

    ``progress`` is called with 1 after every clip. A file that is already there is written again.
    """
    for plan in plans:
        path = directory / _file(plan)
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_wave(path, synthesise(plan))
        if progress:
            progress(1)
    _write_table(directory / METADATA, [_metadata(plan) for plan in plans])
    _write_table(directory / TRUTH, [_truth(plan) for plan in plans])


def _file(plan: ClipPlan) -> str:
    return f"{plan.speaker.name}/{plan.name}.wav"


def _metadata(plan: ClipPlan) -> dict[str, object]:
    return {
        "file": _file(plan),
        "speaker": plan.speaker.name,
        "gender": plan.speaker.gender,
        "accent": plan.speaker.accent,
        "transcript": plan.transcript,
        "language": LANGUAGE,
        "licence": LICENCE,
    }


def _truth(plan: ClipPlan) -> dict[str, object]:
    first, last = plan.parts[0], plan.parts[-1]
    return {
        "file": _file(plan),
        "voice": plan.speaker.voice,
        "change": plan.change,
        "pitch_start": first.pitch,
        "pitch_end": last.pitch,
        "pitch_range": first.pitch_range,
        "words_per_minute_start": first.words_per_minute,
        "words_per_minute_end": last.words_per_minute,
        "level_dbfs_start": first.level_dbfs,
        "level_dbfs_end": last.level_dbfs,
        "pause_s": sum(part.pause_after_s for part in plan.parts),
    }


def _write_wave(path: Path, samples: NDArray[np.float32]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLING_RATE)
        file.writeframes(np.round(samples * 32767.0).astype("<i2").tobytes())


def _write_table(path: Path, rows: Iterable[dict[str, object]]) -> None:
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

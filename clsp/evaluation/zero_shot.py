"""Zero-shot classification: a clip belongs to the class whose prompt lies nearest (reference 1.11).

A benchmark is data: its classes, one or more prompts a class, and how its folder is read. IEMOCAP has five prompts for
four classes, since "excited" counts as happy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from clsp.errors import ConfigError
from clsp.evaluation.corpora import LabelledClip, read_crema_d, read_iemocap, read_ravdess
from clsp.evaluation.corpora.labels import age_group

_TONE = "A speaker in a {} tone."
Reader = Callable[[Path], list[LabelledClip]]


@dataclass(frozen=True)
class Benchmark:
    """One zero-shot task. ``prompts`` maps each prompt to its class; ``read`` gives the labelled clips of a folder."""

    name: str
    classes: tuple[str, ...]
    prompts: Mapping[str, str]
    read: Reader

    def classify(self, speech: NDArray[np.float32], prompts: NDArray[np.float32]) -> list[str]:
        """Class of each row of ``speech`` (N, D), given the vectors of the prompts (P, D) in their order."""
        owners = list(self.prompts.values())
        return [owners[index] for index in np.argmax(speech @ prompts.T, axis=1)]


def _tones(classes: tuple[str, ...], merged: Mapping[str, str] = MappingProxyType({})) -> dict[str, str]:
    return {_TONE.format(word): merged.get(word, word) for word in (*classes, *merged)}


_IEMOCAP = ("happy", "angry", "sad", "neutral")
_RAVDESS = ("angry", "calm", "disgust", "fear", "happy", "sad", "surprised", "neutral")
_CREMA_D = ("happy", "sad", "angry", "fear", "disgust", "neutral")
_GENDERS = {"A male speaker.": "male", "A female speaker.": "female"}
_AGES = {
    "A child or young teenager speaker.": "child",
    "An adult speaker.": "adult",
    "A middle-aged speaker.": "middle-aged",
    "An older or elder speaker.": "elder",
}


def _labelled(read: Callable[[Path], list[LabelledClip]], label: Callable[[LabelledClip], str]) -> Reader:
    def labelled(folder: Path) -> list[LabelledClip]:
        return [clip.with_label(label(clip)) for clip in read(folder)]

    return labelled


BENCHMARKS: Mapping[str, Benchmark] = MappingProxyType(
    {
        benchmark.name: benchmark
        for benchmark in (
            Benchmark("iemocap-emotion", _IEMOCAP, _tones(_IEMOCAP, {"excited": "happy"}), read_iemocap),
            Benchmark("ravdess-emotion", _RAVDESS, _tones(_RAVDESS), read_ravdess),
            Benchmark("crema-d-emotion", _CREMA_D, _tones(_CREMA_D), read_crema_d),
            Benchmark(
                "ravdess-gender", ("male", "female"), _GENDERS, _labelled(read_ravdess, lambda clip: clip.gender)
            ),
            Benchmark(
                "crema-d-age",
                tuple(_AGES.values()),
                _AGES,
                _labelled(read_crema_d, lambda clip: age_group(clip.age)),
            ),
        )
    }
)


def benchmark(name: str) -> Benchmark:
    """The benchmark of that name; ConfigError if there is none."""
    if name not in BENCHMARKS:
        raise ConfigError(f"no zero-shot benchmark is named {name!r}", hint=f"choose one of {', '.join(BENCHMARKS)}")
    return BENCHMARKS[name]

"""Windows over a clip: a long clip is embedded by windows that cover it, a timeline by one that slides.

Each window is embedded as if it had been sent alone, so every vector of a timeline is that of its stretch of sound.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clsp.audio.fbank import SAMPLING_RATE
from clsp.config.serving import ServeSettings

Samples = NDArray[np.float32]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Treatment:
    """What a request wants of its clips: ``long`` embeds those over the limit by windows, ``timeline`` adds vectors."""

    long: bool = False
    timeline: bool = False

    def longest_seconds(self, settings: ServeSettings) -> float:
        """Seconds a clip may last under this treatment."""
        return settings.max_long_seconds if self.long or self.timeline else settings.max_audio_seconds


@dataclass(frozen=True)
class Timeline:
    """One vector a window: where the windows start and end in seconds, and their (W, D) unit vectors."""

    starts: tuple[float, ...]
    ends: tuple[float, ...]
    vectors: Vectors


@dataclass(frozen=True)
class Cut:
    """The windows of one clip, in samples: those whose mean is the clip's vector, then those of its timeline."""

    whole: tuple[tuple[int, int], ...]
    sliding: tuple[tuple[int, int], ...]

    def parts(self, samples: Samples) -> list[Samples]:
        """The sound of every window, in order."""
        return [samples[start:end] for start, end in (*self.whole, *self.sliding)]

    def vector(self, rows: Vectors) -> Vectors:
        """(D,) unit vector of the clip from the (P, D) vectors of its parts: the mean over the covering windows."""
        mean = rows[: len(self.whole)].mean(axis=0)
        vector: Vectors = rows[0] if len(self.whole) == 1 else mean / np.linalg.norm(mean)
        return vector

    def timeline(self, rows: Vectors) -> Timeline:
        """The timeline from the vectors of the parts."""
        starts, ends = zip(*self.sliding, strict=True)
        return Timeline(_seconds(starts), _seconds(ends), rows[len(self.whole) :])


def cut_clip(samples: int, treatment: Treatment, settings: ServeSettings) -> Cut:
    """The windows of a clip of so many samples at 16 kHz."""
    length = round(settings.window_seconds * SAMPLING_RATE)
    limit = round(settings.max_audio_seconds * SAMPLING_RATE)
    whole = ((0, samples),) if samples <= limit else covering(samples, length)
    window, hop = (
        round(seconds * SAMPLING_RATE) for seconds in (settings.timeline_seconds, settings.timeline_hop_seconds)
    )
    return Cut(whole, sliding(samples, window, hop) if treatment.timeline else ())


def covering(samples: int, length: int) -> tuple[tuple[int, int], ...]:
    """Windows of one ``length`` that cover all samples; the last ends with the clip and may overlap the one before."""
    starts = [*range(0, samples - length, length), max(0, samples - length)]
    return tuple((start, min(start + length, samples)) for start in starts)


def sliding(samples: int, length: int, hop: int) -> tuple[tuple[int, int], ...]:
    """A window every ``hop`` samples as long as a whole one fits; the clip itself when none does."""
    if samples <= length:
        return ((0, samples),)
    return tuple((start, start + length) for start in range(0, samples - length + 1, hop))


def _seconds(samples: tuple[int, ...]) -> tuple[float, ...]:
    return tuple(round(count / SAMPLING_RATE, 3) for count in samples)

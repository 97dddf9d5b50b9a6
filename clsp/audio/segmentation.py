"""Where a long recording is cut: at its longest pauses, so that no word is broken.

Cuts are found from left to right in a window of bounded length, hence an hour needs the memory of one segment, and
the cuts do not depend on the blocks in which the samples arrived.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
HOP_SECONDS = 0.01
_FLOOR = 1e-10


@dataclass(frozen=True)
class Cutting:
    """Bounds of a segment and what a pause is, in seconds and dB (``clsp.config.ingest`` says what each means)."""

    rate: int = 16_000
    min_seconds: float = 1.0
    max_seconds: float = 30.0
    earliest_seconds: float = 10.0
    pause_seconds: float = 0.15
    pause_below_db: float = 20.0
    keep_seconds: float = 0.25

    @property
    def hop(self) -> int:
        """Samples of one frame, the grain of all cuts."""
        return max(1, round(HOP_SECONDS * self.rate))

    @property
    def max_samples(self) -> int:
        return int(self.max_seconds * self.rate)

    @property
    def max_frames(self) -> int:
        return self.max_samples // self.hop

    @property
    def min_frames(self) -> int:
        return self.frames(self.min_seconds)

    def frames(self, seconds: float) -> int:
        """The fewest frames that last ``seconds``."""
        return -int(-seconds * self.rate // self.hop)


@dataclass(frozen=True)
class Piece:
    """A stretch of a recording: its first sample's index, and its (n,) samples."""

    start: int
    samples: Samples


def segment(samples: Samples, cutting: Cutting) -> list[tuple[int, int]]:
    """Ranges (start, end) of (n,) ``samples``: in order, disjoint, covering all but the pauses that are trimmed.

    Each lasts from ``min_seconds`` to ``max_seconds``; a recording within the bounds, or shorter, is one range.
    """
    return [(piece.start, piece.start + len(piece.samples)) for piece in cut_blocks([samples], cutting)]


def cut_blocks(blocks: Iterable[Samples], cutting: Cutting) -> Iterator[Piece]:
    """The pieces of a recording that arrives in consecutive (n,) blocks."""
    enough = (cutting.max_frames + cutting.min_frames) * cutting.hop
    start, rest = 0, np.zeros(0, np.float32)
    for block in blocks:
        rest = np.concatenate([rest, block])
        while len(rest) >= enough and len(rest) > cutting.max_samples:
            end, resume = _cut(rest, cutting)
            yield Piece(start, rest[:end])
            start, rest = start + resume, rest[resume:]
    while len(rest) > cutting.max_samples:
        end, resume = _cut(rest, cutting)
        yield Piece(start, rest[:end])
        start, rest = start + resume, rest[resume:]
    if len(rest):
        yield Piece(start, rest)


def _cut(samples: Samples, cutting: Cutting) -> tuple[int, int]:
    """Where the piece at the head of ``samples`` ends and where the next one starts, in samples."""
    latest = min(cutting.max_frames, len(samples) // cutting.hop - cutting.min_frames)
    earliest = max(cutting.min_frames, min(cutting.frames(cutting.earliest_seconds), latest - 1))
    levels = frame_levels(samples[: cutting.max_frames * cutting.hop], cutting.hop)
    first, last = _pause(levels, earliest, latest, cutting)
    middle, keep = (first + last) // 2, cutting.frames(cutting.keep_seconds)
    return min(first + keep, middle) * cutting.hop, max(last - keep, middle) * cutting.hop


def frame_levels(samples: Samples, hop: int) -> NDArray[np.float64]:
    """Level of each whole frame of ``hop`` samples, in dB of full scale."""
    frames = samples[: len(samples) // hop * hop].reshape(-1, hop)
    power = np.einsum("ij,ij->i", frames, frames) / hop
    return np.asarray(10.0 * np.log10(np.maximum(power, _FLOOR)), np.float64)


def _pause(levels: NDArray[np.float64], earliest: int, latest: int, cutting: Cutting) -> tuple[int, int]:
    """The longest pause between two frames (the later of equals), or the quietest place when there is none."""
    quiet = levels < np.percentile(levels, 95) - cutting.pause_below_db
    edges = np.diff(np.concatenate([[False], quiet[earliest:latest], [False]]).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    shortest = cutting.frames(cutting.pause_seconds)
    if len(starts) and (ends - starts).max() >= shortest:
        longest = len(starts) - 1 - int(np.argmax((ends - starts)[::-1]))
        return earliest + int(starts[longest]), earliest + int(ends[longest])
    smooth = np.convolve(levels, np.ones(shortest) / shortest, mode="same")[earliest:latest]
    place = latest - 1 - int(np.argmin(smooth[::-1])) if len(smooth) else latest
    return place, place

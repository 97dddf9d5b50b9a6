"""Variety of words in windows of consecutive words, of a text that is read in parts.

Where the windows of a part begin depends on how many words came before it. So a part is summed up for every place at
which its first window may begin, and two parts join into what the whole would have given, exactly.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from data_quality.wording import words


@dataclass(frozen=True, eq=False)
class Variety:
    """``window`` words a window; ``sums[o]`` adds up the distinct words of all whole windows at o, o + window, …

    ``head`` and ``tail`` are the first and last ``window - 1`` of the ``words`` words, or fewer where there are fewer.
    """

    window: int
    words: int
    sums: Any  # int64, one an offset
    head: tuple[str, ...]
    tail: tuple[str, ...]

    def __add__(self, other: "Variety") -> "Variety":
        kept = self.window - 1
        across = _sums(self.tail + other.head, self.window)
        sums = self.sums + np.roll(across, self.words - len(self.tail)) + np.roll(other.sums, self.words)
        head = self.head if len(self.head) == kept else (self.head + other.head)[:kept]
        tail = other.tail if len(other.tail) == kept else _last(self.tail + other.tail, kept)
        return Variety(self.window, self.words + other.words, sums, head, tail)

    @property
    def share(self) -> float:
        """Distinct words as a share of a window, mean over whole windows.

        Fewer words than one window are taken as one; no words give 0.
        """
        whole = self.words // self.window
        if whole:
            return float(self.sums[0]) / (self.window * whole)
        return len(set(self.head)) / self.words if self.words else 0.0


def variety(texts: Iterable[str], window: int) -> Variety:
    """Variety of the words of ``texts``, one after the other."""
    found = tuple(chain.from_iterable(map(words, texts)))
    kept = window - 1
    return Variety(window, len(found), _sums(found, window), found[:kept], _last(found, kept))


def _last(found: tuple[str, ...], kept: int) -> tuple[str, ...]:
    return found[max(0, len(found) - kept) :]


def _sums(found: Sequence[str], window: int) -> Any:
    """Distinct words of every window, added up by where it begins modulo ``window``."""
    starts = len(found) - window + 1
    if starts <= 0:
        return np.zeros(window, np.int64)
    steps = np.zeros(len(found) + 1, np.int64)
    places = np.arange(len(found))
    # A word is new to the windows that hold it and do not hold the same word before it.
    np.add.at(steps, np.maximum(_before(found) + 1, places - window + 1), 1)
    steps[1:] -= 1
    distinct = np.cumsum(steps)[:starts]
    return np.bincount(np.arange(starts) % window, weights=distinct, minlength=window).astype(np.int64)


def _before(found: Sequence[str]) -> Any:
    """The place of the same word before each word, -1 where there is none."""
    numbers: dict[str, int] = {}
    codes = np.fromiter((numbers.setdefault(word, len(numbers)) for word in found), np.int64, len(found))
    order = np.argsort(codes, kind="stable")
    before = np.full(len(found), -1)
    same = codes[order[1:]] == codes[order[:-1]]
    before[order[1:][same]] = order[:-1][same]
    return before

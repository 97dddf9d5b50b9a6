"""Texts that are counted without being kept: 64-bit hashes, sorted, so that 10^7 of them take 100 MB.

Counts of two parts of a table add up to the counts of both, in any grouping, so a table is counted a batch at a time.
Two different texts share a hash once in 370,000 tables of 10^7 rows; a row would then be counted as a repetition.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

_MOST = np.iinfo(np.uint16).max  # counts stop here
_FRESH = 2**20  # keys that are counted together
_RANGE_BITS = 4
_RANGES = 2**_RANGE_BITS


def hashes(texts: Iterable[str]) -> Any:
    """64-bit hashes of ``texts``, the same everywhere."""
    held = np.array([*texts], dtype=object)
    return pd.util.hash_array(held, categorize=False) if len(held) else np.empty(0, np.uint64)


@dataclass(frozen=True, eq=False)
class Counted:
    """Distinct hashes in ascending order (uint64) and how often each occurs (uint16, which stops at its most)."""

    keys: Any
    counts: Any

    def __len__(self) -> int:
        return len(self.keys)

    def __add__(self, other: "Counted") -> "Counted":
        merged = [_merged(one, two) for one, two in zip(self._ranges(), other._ranges(), strict=True)]
        return Counted(np.concatenate([part.keys for part in merged]), np.concatenate([part.counts for part in merged]))

    def _ranges(self) -> Iterator["Counted"]:
        for start, stop in _ranges(self.keys):
            yield Counted(self.keys[start:stop], self.counts[start:stop])

    def of(self, keys: Any) -> Any:
        """How often each of ``keys`` (uint64) occurs; 0 for those that do not."""
        if not len(self.keys):
            return np.zeros(len(keys), np.int64)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.counts[places], 0).astype(np.int64)

    def repeated(self) -> "Counted":
        """Those that occur more than once."""
        more = self.counts > 1
        return Counted(self.keys[more], self.counts[more])


NONE = Counted(np.empty(0, np.uint64), np.empty(0, np.uint16))


def count(keys: Any) -> Counted:
    """Counts of ``keys`` (uint64, in any order)."""
    return _summed(np.sort(keys), np.ones(len(keys), np.uint16))


def _summed(keys: Any, counts: Any) -> Counted:
    if not len(keys):
        return NONE
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    sums = np.add.reduceat(counts.astype(np.uint32), first)
    return Counted(keys[first], np.minimum(sums, _MOST).astype(np.uint16))


def _merged(one: Counted, two: Counted) -> Counted:
    keys = np.concatenate([one.keys, two.keys])
    order = np.argsort(keys, kind="stable")
    return _summed(keys[order], np.concatenate([one.counts, two.counts])[order])


def _ranges(keys: Any) -> Iterator[tuple[int, int]]:
    """Where ``keys`` (ascending) have each of their highest bits: merging range by range takes little room beside."""
    bounds = np.arange(1, _RANGES, dtype=np.uint64) << np.uint64(64 - _RANGE_BITS)
    return pairwise([0, *np.searchsorted(keys, bounds).tolist(), len(keys)])


class Gathering:
    """Adds up the counts of many batches; those of like size are added first, so that each is moved seldom."""

    def __init__(self) -> None:
        self._parts: list[Counted] = []
        self._fresh: list[Any] = []

    def add(self, keys: Any) -> None:
        """Count ``keys`` (uint64)."""
        self._fresh.append(keys)
        if sum(map(len, self._fresh)) >= _FRESH:
            self._settle()

    def total(self) -> Counted:
        """The counts of everything."""
        self._settle()
        while len(self._parts) > 1:
            last = self._parts.pop()
            self._parts[-1] += last
        return self._parts[0] if self._parts else NONE

    def _settle(self) -> None:
        self._parts.append(count(np.concatenate([NONE.keys, *self._fresh])))
        self._fresh = []
        while len(self._parts) > 1 and len(self._parts[-2]) <= 2 * len(self._parts[-1]):
            last = self._parts.pop()
            self._parts[-1] += last


class Pairs:
    """Distinct pairs of hashes, for how many different right ones each left one has."""

    def __init__(self) -> None:
        self._parts: list[Any] = []
        self._fresh: list[Any] = []

    def add(self, left: Any, right: Any) -> None:
        """Take pairs in (uint64 each)."""
        self._fresh.append(np.stack([left, right]))
        if sum(part.shape[1] for part in self._fresh) >= _FRESH:
            self._settle()

    def total(self) -> Counted:
        """How many different right ones each left one has."""
        self._settle()
        while len(self._parts) > 1:
            last = self._parts.pop()
            self._parts[-1] = _joined(self._parts[-1], last)
        return count(self._parts[0][0])

    def _settle(self) -> None:
        self._parts.append(_distinct(np.concatenate([np.empty((2, 0), np.uint64), *self._fresh], axis=1)))
        self._fresh = []
        while len(self._parts) > 1 and self._parts[-2].shape[1] <= 2 * self._parts[-1].shape[1]:
            last = self._parts.pop()
            self._parts[-1] = _joined(self._parts[-1], last)


def _joined(one: Any, two: Any) -> Any:
    ranges = zip(_ranges(one[0]), _ranges(two[0]), strict=True)
    return np.concatenate(
        [_distinct(np.concatenate([one[:, slice(*here)], two[:, slice(*there)]], axis=1)) for here, there in ranges],
        axis=1,
    )


def _distinct(pairs: Any) -> Any:
    ordered = pairs[:, np.lexsort(pairs[::-1])]
    new = np.any(ordered[:, 1:] != ordered[:, :-1], axis=0)
    return ordered[:, np.concatenate([np.ones(min(1, ordered.shape[1]), bool), new])]

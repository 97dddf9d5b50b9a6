"""Which clips make up global batch number ``step``: a pure function of the seed, the epoch and the step.

No sampler state exists, so resuming at any step of any epoch takes constant time and every world size sees the same
global batches (the published code replays its sampler, or restarts the epoch; reference 1.5, 4.1).
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from operator import floordiv, mod

import numpy as np
from numpy.typing import NDArray

from clsp.config import BatchSettings
from clsp.data.buckets import duration_buckets
from clsp.data.permutation import Permutation
from clsp.errors import TrainingError


@dataclass(frozen=True)
class BatchOrder:
    """Global batches from buckets of clip positions, ``sizes[i]`` clips from bucket i at a time.

    An epoch visits each bucket in a fresh random order and deals full batches from it; what is left of the buckets
    is dealt in mixed batches of the smallest size, so that fewer clips than one such batch sit an epoch out. Raises
    TrainingError when one epoch has no batch.
    """

    buckets: Sequence[Sequence[int] | NDArray[np.int32]]
    sizes: Sequence[int]
    seed: int

    def __post_init__(self) -> None:
        if self.epoch_steps == 0:
            clips = sum(map(len, self.buckets))
            raise TrainingError(
                f"{clips} clips do not fill one global batch of {min(self.sizes)}",
                hint="lower train.stage1.batch (and stage2's) or bring more clips",
            )

    @cached_property
    def epoch_steps(self) -> int:
        """Global batches of one epoch."""
        return self._full_bounds[-1] + self._tail_bounds[-1] // self._tail_size

    def epoch(self, step: int) -> int:
        """Epochs completed before ``step``."""
        return step // self.epoch_steps

    def clips(self, step: int) -> list[int]:
        """Positions of the clips of global batch ``step`` (from 0); all different."""
        epoch, number = divmod(step, self.epoch_steps)
        places = self._places(Permutation(self.epoch_steps, f"{self.seed}/{epoch}/batches")[number])
        shuffled = {i: Permutation(len(self.buckets[i]), f"{self.seed}/{epoch}/{i}") for i in {i for i, _ in places}}
        return [int(self.buckets[bucket][shuffled[bucket][index]]) for bucket, index in places]

    @cached_property
    def _tail_size(self) -> int:
        return min(self.sizes)

    @cached_property
    def _full_bounds(self) -> list[int]:
        return list(accumulate(map(floordiv, map(len, self.buckets), self.sizes), initial=0))

    @cached_property
    def _tail_bounds(self) -> list[int]:
        return list(accumulate(map(mod, map(len, self.buckets), self.sizes), initial=0))

    def _places(self, number: int) -> list[tuple[int, int]]:
        """(bucket, index within its order) of every clip of the epoch's batch ``number``."""
        if number < self._full_bounds[-1]:
            bucket = _owner(self._full_bounds, number)
            start = (number - self._full_bounds[bucket]) * self.sizes[bucket]
            return [(bucket, start + offset) for offset in range(self.sizes[bucket])]
        start = (number - self._full_bounds[-1]) * self._tail_size
        return [self._tail_place(start + offset) for offset in range(self._tail_size)]

    def _tail_place(self, position: int) -> tuple[int, int]:
        bucket = _owner(self._tail_bounds, position)
        before = len(self.buckets[bucket]) // self.sizes[bucket] * self.sizes[bucket]
        return bucket, before + position - self._tail_bounds[bucket]


def make_order(durations: Sequence[float] | NDArray[np.float32], settings: BatchSettings, seed: int) -> BatchOrder:
    """Global batches of a fixed number of clips, or of about equal seconds: fewer where clips are longer."""
    buckets = duration_buckets(durations, settings.buckets, settings.min_seconds, settings.max_seconds)
    sizes = [_clips_of_batch(bucket.seconds, settings) for bucket in buckets]
    return BatchOrder([bucket.positions for bucket in buckets], sizes or [settings.global_clips], seed)


def _clips_of_batch(longest: float, settings: BatchSettings) -> int:
    if not settings.global_seconds:
        return settings.global_clips
    return max(settings.micro_batches, int(settings.global_seconds / longest))


def _owner(bounds: list[int], position: int) -> int:
    """The interval of ``bounds`` that holds ``position``."""
    return bisect_right(bounds, position) - 1


def cut(clips: Sequence[int], parts: int, number: int) -> Sequence[int]:
    """Micro-batch ``number`` of a global batch that is cut into ``parts`` of equal size (± 1)."""
    parts = min(parts, len(clips))
    return clips[len(clips) * number // parts : len(clips) * (number + 1) // parts]


def micro_batches_of(rank: int, world: int, count: int) -> range:
    """Which of ``count`` micro-batches ``rank`` of ``world`` computes; TrainingError when some process has none."""
    if world > count:
        raise TrainingError(
            f"{count} micro-batches cannot keep {world} processes busy",
            hint="raise batch.micro_batches of the stage (it changes the training), or start fewer processes",
        )
    return range(count * rank // world, count * (rank + 1) // world)

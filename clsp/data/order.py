"""Which clips make up global batch number ``step``: a pure function of the seed, the epoch and the step.

No sampler state exists, so resuming at any step of any epoch takes constant time and every world size sees the same
global batches (the published code replays its sampler, or restarts the epoch; reference 1.5, 4.1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from clsp.data.permutation import Permutation
from clsp.errors import TrainingError


@dataclass(frozen=True)
class BatchOrder:
    """Global batches of ``batch`` clips from buckets of clip positions.

    An epoch visits each bucket in a fresh random order and deals full batches from it; what is left of the buckets
    is dealt in mixed batches, so that fewer than ``batch`` clips sit an epoch out. Raises TrainingError when one
    epoch has no full batch.
    """

    buckets: Sequence[Sequence[int]]
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.epoch_steps == 0:
            clips = sum(map(len, self.buckets))
            raise TrainingError(
                f"{clips} clips do not fill one global batch of {self.batch}",
                hint="lower train.stage1.batch.global_clips (and stage2's) or bring more clips",
            )

    @cached_property
    def epoch_steps(self) -> int:
        """Global batches of one epoch."""
        return sum(map(len, self.buckets)) // self.batch

    def epoch(self, step: int) -> int:
        """Epochs completed before ``step``."""
        return step // self.epoch_steps

    def clips(self, step: int) -> list[int]:
        """Positions of the clips of global batch ``step`` (from 0); all different."""
        epoch, number = divmod(step, self.epoch_steps)
        place = Permutation(self.epoch_steps, f"{self.seed}/{epoch}/batches")[number]
        shuffled = [Permutation(len(bucket), f"{self.seed}/{epoch}/{i}") for i, bucket in enumerate(self.buckets)]
        return [self.buckets[bucket][shuffled[bucket][index]] for bucket, index in self._places(place)]

    @cached_property
    def _full_bounds(self) -> list[int]:
        return list(accumulate((len(bucket) // self.batch for bucket in self.buckets), initial=0))

    @cached_property
    def _tail_bounds(self) -> list[int]:
        return list(accumulate((len(bucket) % self.batch for bucket in self.buckets), initial=0))

    def _places(self, number: int) -> list[tuple[int, int]]:
        """(bucket, index within its order) of every clip of the epoch's batch ``number``."""
        if number < self._full_bounds[-1]:
            bucket = _owner(self._full_bounds, number)
            start = (number - self._full_bounds[bucket]) * self.batch
            return [(bucket, start + offset) for offset in range(self.batch)]
        start = (number - self._full_bounds[-1]) * self.batch
        return [self._tail_place(start + offset) for offset in range(self.batch)]

    def _tail_place(self, position: int) -> tuple[int, int]:
        bucket = _owner(self._tail_bounds, position)
        before = len(self.buckets[bucket]) // self.batch * self.batch
        return bucket, before + position - self._tail_bounds[bucket]


def _owner(bounds: list[int], position: int) -> int:
    """The interval of ``bounds`` that holds ``position``."""
    return next(i for i, high in enumerate(bounds[1:]) if position < high)


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

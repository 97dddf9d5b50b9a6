"""Batches of one process, from any step on, prepared ahead of the training loop.

A global batch is cut into fixed micro-batches, whole units of work that any number of processes can share: what a
micro-batch holds, its padding and its dropout do not depend on who computes it, so neither does the training.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from clsp.data.clips import ClipFeatures
from clsp.data.collate import Batch, pad_features, pad_tokens, stack_captions
from clsp.data.order import BatchOrder, cut, micro_batches_of
from clsp.data.pairs import Task, captions_for, contrast_for
from clsp.records import Example

Parts = tuple[Batch, ...]


class Tokenizer(Protocol):
    """What the loader asks of a tokenizer (``clsp.model.tokens.TextTokenizer``)."""

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, unpadded."""


@dataclass
class Waited:
    """Seconds that the training thread has waited for batches."""

    seconds: float = 0.0


@dataclass(frozen=True)
class Loader:
    """Makes the micro-batches of global batch ``step`` that belong to ``rank`` of ``world``.

    ``task_of`` says what a step trains. ``prefetch`` steps are made ahead by as many threads; 0 makes each on
    demand. The batches are the same either way, and at any world size up to ``micro_batches``. ``swaps`` adds the
    captions that stage 3 swaps attributes of.
    """

    examples: Sequence[Example]
    features: ClipFeatures
    order: BatchOrder
    tokenizer: Tokenizer
    task_of: Callable[[int], Task]
    rank: int = 0
    world: int = 1
    micro_batches: int = 1
    prefetch: int = 0
    swaps: bool = False
    waited: Waited = field(default_factory=Waited)

    def parts(self, step: int) -> Parts:
        """This process's micro-batches of ``step``."""
        task, clips = self.task_of(step), self.order.clips(step)
        mine = micro_batches_of(self.rank, self.world, min(self.micro_batches, len(clips)))
        return tuple(self._part(step, task, number, cut(clips, self.micro_batches, number)) for number in mine)

    def _part(self, step: int, task: Task, number: int, positions: Sequence[int]) -> Batch:
        chosen = [self.examples[position] for position in positions]
        texts, differs = self._texts(chosen, task, step)
        features, lengths = pad_features(self.features.many(positions))
        input_ids, attention_mask = pad_tokens(self.tokenizer.ids(texts))
        ids = tuple(example.segment_id for example in chosen)
        return Batch(step, number, task, features, lengths, input_ids, attention_mask, ids, differs)

    def _texts(self, clips: Sequence[Example], task: Task, step: int) -> tuple[list[str], Tensor | None]:
        """The captions of some clips as ``Batch`` orders them, and where a swapped copy differs."""
        captions = [captions_for(clip, task, self.order.seed, step) for clip in clips]
        if not self.swaps:
            return stack_captions(captions), None
        contrasts = [contrast_for(clip, self.order.seed, step) for clip in clips]
        pairs = [contrast or (own[0], own[0]) for own, contrast in zip(captions, contrasts, strict=True)]
        differs = torch.tensor([contrast is not None for contrast in contrasts])
        return stack_captions([(*own, *pair) for own, pair in zip(captions, pairs, strict=True)]), differs

    def batches(self, start: int, end: int) -> Iterator[Parts]:
        """Micro-batches of the steps from ``start`` up to but without ``end``, in order."""
        steps = iter(range(start, end))
        if self.prefetch == 0:
            yield from (self._counted(partial(self.parts, step)) for step in steps)
            return
        with ThreadPoolExecutor(self.prefetch, "loader") as pool:
            waiting: deque[Future[Parts]] = deque(
                pool.submit(self.parts, step) for step in islice(steps, self.prefetch)
            )
            try:
                while waiting:
                    yield self._counted(waiting.popleft().result)
                    waiting.extend(pool.submit(self.parts, step) for step in islice(steps, 1))
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _counted(self, take: Callable[[], Parts]) -> Parts:
        started = time.perf_counter()
        parts = take()
        self.waited.seconds += time.perf_counter() - started
        return parts

"""Batches of one rank, from any step on, prepared ahead of the training loop."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from clsp.data.clips import ClipFeatures
from clsp.data.collate import Batch, pad_features, pad_tokens, stack_captions
from clsp.data.order import BatchOrder, rank_share
from clsp.data.pairs import Task, captions_for
from clsp.records import Example


class Tokenizer(Protocol):
    """What the loader asks of a tokenizer (``clsp.model.tokens.TextTokenizer``)."""

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, unpadded."""


@dataclass(frozen=True)
class Loader:
    """Makes the part of global batch ``step`` that belongs to ``rank`` of ``world``.

    ``task_of`` says what a step trains. ``prefetch`` batches are made ahead by as many threads; 0 makes each on
    demand. The batches are the same either way.
    """

    examples: Sequence[Example]
    features: ClipFeatures
    order: BatchOrder
    tokenizer: Tokenizer
    task_of: Callable[[int], Task]
    rank: int = 0
    world: int = 1
    prefetch: int = 0

    def batch(self, step: int) -> Batch:
        """This rank's batch of ``step``."""
        task = self.task_of(step)
        positions = rank_share(self.order.clips(step), self.rank, self.world)
        chosen = [self.examples[position] for position in positions]
        texts = stack_captions([captions_for(example, task, self.order.seed, step) for example in chosen])
        features, lengths = pad_features([self.features[position] for position in positions])
        input_ids, attention_mask = pad_tokens(self.tokenizer.ids(texts))
        ids = tuple(example.segment_id for example in chosen)
        return Batch(step, task, features, lengths, input_ids, attention_mask, ids)

    def batches(self, start: int, end: int) -> Iterator[Batch]:
        """Batches of the steps from ``start`` up to but without ``end``, in order."""
        steps = iter(range(start, end))
        if self.prefetch == 0:
            yield from map(self.batch, steps)
            return
        with ThreadPoolExecutor(self.prefetch) as pool:
            waiting: deque[Future[Batch]] = deque(
                pool.submit(self.batch, step) for step in islice(steps, self.prefetch)
            )
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(self.batch, step) for step in islice(steps, 1))

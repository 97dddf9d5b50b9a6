"""Batches are the same from any start, with any prefetch, and split over any world."""

import pytest
import torch

from clsp.data.clips import ClipFeatures
from clsp.data.loader import Loader
from clsp.data.order import BatchOrder
from clsp.data.pairs import Task
from clsp.training.job import training_examples
from tests.speech import save_tones


class Bytes:
    """The simplest tokenizer."""

    def ids(self, texts):
        return [list(text.encode()) for text in texts]


@pytest.fixture
def make_loader(store):
    examples = training_examples(store, save_tones(store, 16))
    order = BatchOrder((tuple(range(8)), tuple(range(8, 16))), 4, seed=3)

    def make(**options):
        features = ClipFeatures(store, examples, 2**20)
        return Loader(examples, features, order, Bytes(), lambda step: Task(1 + step % 2), **options)

    return make


def test_prefetch_and_start_change_nothing(make_loader):
    plain = list(make_loader().batches(0, 6))
    ahead = list(make_loader(prefetch=3).batches(2, 6))
    assert [batch.step for batch in ahead] == [2, 3, 4, 5]
    for one, other in zip(plain[2:], ahead, strict=True):
        assert one.clips == other.clips
        assert torch.equal(one.features, other.features)
        assert torch.equal(one.input_ids, other.input_ids)


def test_ranks_hold_the_parts_of_the_global_batch(make_loader):
    whole = make_loader().batch(5)
    parts = [make_loader(rank=rank, world=2).batch(5) for rank in range(2)]
    assert parts[0].clips + parts[1].clips == whole.clips
    assert {part.task for part in parts} == {whole.task}
    assert len(whole.input_ids) == 2 * len(whole.clips)

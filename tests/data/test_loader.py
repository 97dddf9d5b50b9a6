"""Batches are the same from any start, with any prefetch, and split over any world."""

import pytest
import torch

from clsp.data.clips import ClipFeatures
from clsp.data.loader import Loader
from clsp.data.order import BatchOrder
from clsp.data.pairs import Task
from tests.speech import save_tones, training_examples


class Bytes:
    """The simplest tokenizer."""

    def ids(self, texts):
        return [list(text.encode()) for text in texts]


@pytest.fixture
def make_loader(store):
    examples = training_examples(store, save_tones(store, 16))
    order = BatchOrder((tuple(range(8)), tuple(range(8, 16))), (4, 4), seed=3)

    def make(**options):
        features = ClipFeatures(store, examples, 2**20)
        return Loader(examples, features, order, Bytes(), lambda step: Task(1 + step % 2), **options)

    return make


def test_prefetch_and_start_change_nothing(make_loader):
    plain = list(make_loader().batches(0, 6))
    ahead = list(make_loader(prefetch=3).batches(2, 6))
    assert [batch.step for (batch,) in ahead] == [2, 3, 4, 5]
    for (one,), (other,) in zip(plain[2:], ahead, strict=True):
        assert one.clips == other.clips
        assert torch.equal(one.features, other.features)
        assert torch.equal(one.input_ids, other.input_ids)


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_processes_hold_the_same_micro_batches_at_any_world_size(make_loader, world):
    whole = make_loader(micro_batches=4).parts(5)
    loaders = [make_loader(rank=rank, world=world, micro_batches=4) for rank in range(world)]
    shared = [part for loader in loaders for part in loader.parts(5)]
    assert [part.number for part in shared] == [0, 1, 2, 3]
    for one, other in zip(shared, whole, strict=True):
        assert one.clips == other.clips
        assert one.task is other.task
        assert torch.equal(one.features, other.features)
        assert len(one.input_ids) == 2 * len(one.clips)


def test_an_error_of_a_batch_reaches_the_training_thread(make_loader):
    loader = make_loader(prefetch=2)
    with pytest.raises(IndexError):
        list(
            Loader(loader.examples[:1], loader.features, loader.order, Bytes(), loader.task_of, prefetch=2).batches(
                0, 4
            )
        )


def test_waiting_is_counted(make_loader):
    loader = make_loader()
    list(loader.batches(0, 2))
    assert loader.waited.seconds > 0


def test_swapped_copies_follow_the_captions_of_the_task(make_loader):
    (plain,) = make_loader().parts(0)
    (batch,) = make_loader(swaps=True).parts(0)
    texts, known = texts_of(batch), texts_of(plain)
    clips = len(batch.clips)
    assert batch.clips == plain.clips
    assert texts[: 2 * clips] == known
    for caption, swapped, differs in zip(texts[2 * clips : 3 * clips], texts[3 * clips :], batch.differs, strict=True):
        assert (caption != swapped) == differs
    assert batch.differs.all()
    assert plain.differs is None


def texts_of(batch):
    rows = zip(batch.input_ids, batch.attention_mask, strict=True)
    return [bytes(ids[mask.bool()].tolist()).decode() for ids, mask in rows]

"""Checkpoints are whole or refused; the newest whole one is found."""

import pytest
import torch

from clsp.errors import DataError
from clsp.training.checkpoints import Checkpoint, Checkpoints


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"w": torch.arange(100.0) + step}, {"skipped": step, "rows": [{"loss": 0.1}]})


@pytest.fixture
def saved(store):
    checkpoints = Checkpoints(store, "checkpoints/stage1/key", keep=2)
    for step in (10, 20, 30):
        checkpoints.save(checkpoint(step))
    return checkpoints


def state_keys(store):
    return list(store.list("checkpoints/stage1/key/state/"))


def test_there_is_none_at_first(store):
    assert Checkpoints(store, "checkpoints/x/y").latest() is None


def test_the_newest_comes_back_as_it_was(saved):
    found = saved.latest()
    assert found.step == 30
    assert torch.equal(found.tensors["w"], checkpoint(30).tensors["w"])
    assert found.facts == checkpoint(30).facts


def test_old_ones_are_dropped(saved, store):
    assert len(state_keys(store)) == 2
    with pytest.raises(Exception, match="no object"):
        saved.load(10)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:-4] + b"\0\1\2\3"])
def test_a_torn_state_is_refused_and_the_one_before_used(saved, store, damage):
    newest = max(state_keys(store), key=lambda key: _step_of(saved, key))
    store.put_blob(newest, damage(store.get(newest)))
    with pytest.raises(DataError, match="step 30 is torn"):
        saved.load(30)
    assert saved.latest().step == 20


def _step_of(saved, key):
    return next(step for step in (20, 30) if saved.store.get(saved._pointer(step)).find(key[-76:-12].encode()) >= 0)


@pytest.mark.parametrize("pointer", [b"", b'{"state"', b"[]", b'{"other": 1}', b'{"state": "feed"}'])
def test_a_torn_pointer_is_refused(saved, store, pointer):
    store.put_blob("checkpoints/stage1/key/steps/0000000030.json", pointer)
    assert saved.latest().step == 20


def test_a_refused_step_can_be_saved_again(saved, store):
    store.put_blob("checkpoints/stage1/key/steps/0000000030.json", b"")
    saved.latest()
    saved.save(checkpoint(30))
    assert saved.latest().step == 30


def test_all_torn_starts_afresh(saved, store):
    for key in state_keys(store):
        store.put_blob(key, b"torn")
    assert saved.latest() is None

"""Checkpoints are whole or refused; the newest whole one is found."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clsp.errors import DataError
from clsp.training.checkpoints import Checkpoint, Checkpoints, share_of


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(step, {"w": torch.arange(100.0) + step}, {"skipped": step, "rows": [{"loss": 0.1}]})


@pytest.fixture
def saved(store):
    checkpoints = Checkpoints(store, "checkpoints/stage1/key", keep=2)
    for step in (10, 20, 30):
        checkpoints.save(checkpoint(step))
    return checkpoints


def state_keys(store, step=""):
    return list(store.list(f"checkpoints/stage1/key/state/{step}"))


def test_there_is_none_at_first(store):
    assert Checkpoints(store, "checkpoints/x/y").latest() is None


def test_the_newest_comes_back_as_it_was(saved):
    found = saved.latest()
    assert found.step == 30
    assert torch.equal(found.tensors["w"], checkpoint(30).tensors["w"])
    assert found.facts == checkpoint(30).facts


def test_old_ones_are_dropped(saved, store):
    assert {int(key.split("/")[-2]) for key in state_keys(store)} == {20, 30}
    with pytest.raises(Exception, match="no object"):
        saved.load(10)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: b"", lambda data: data[:-4] + b"\0\1\2\3"])
def test_a_torn_state_is_refused_and_the_one_before_used(saved, store, damage):
    for key in state_keys(store, f"{30:010d}/"):
        store.put_blob(key, damage(store.get(key)))
    with pytest.raises(DataError, match="step 30 is torn"):
        saved.load(30)
    assert saved.latest().step == 20


def test_one_altered_share_refuses_the_checkpoint(saved, store):
    key = state_keys(store, f"{30:010d}/")[0]
    data = bytearray(store.get(key))
    data[-1] ^= 1
    store.put_blob(key, bytes(data))
    assert saved.latest().step == 20


@pytest.mark.parametrize("pointer", [b"", b'{"shares"', b"[]", b'{"other": 1}', b'{"shares": ["feed"], "facts": "f"}'])
def test_a_torn_pointer_is_refused(saved, store, pointer):
    store.put_blob("checkpoints/stage1/key/steps/0000000030.json", pointer)
    assert saved.latest().step == 20


def test_a_refused_step_can_be_saved_again(saved, store):
    pointer = "checkpoints/stage1/key/steps/0000000030.json"
    store.put_blob(pointer, b"")
    assert saved.latest().step == 20
    assert store.exists(pointer)  # whoever only reads changes nothing
    assert saved.recover().step == 20
    assert not store.exists(pointer)
    saved.save(checkpoint(30))
    assert saved.latest().step == 30


def test_all_torn_starts_afresh(saved, store):
    for key in state_keys(store):
        store.put_blob(key, b"torn")
    assert saved.latest() is None


def test_shares_of_any_world_are_one_checkpoint(saved):
    tensors = {f"t{number}": torch.full((number + 1,), float(number)) for number in range(7)}
    names = [saved.put_share(40, share_of(tensors, rank, 3)) for rank in range(3)]
    assert saved.latest().step == 30  # nothing exists before it is committed
    saved.commit(40, names, {"rows": []})
    loaded = saved.latest()
    assert loaded.step == 40
    assert loaded.tensors.keys() == tensors.keys()
    assert all(torch.equal(loaded.tensors[name], tensor) for name, tensor in tensors.items())


@given(sizes=st.lists(st.integers(1, 1000), min_size=1, max_size=30), world=st.integers(1, 5))
def test_each_tensor_is_in_one_share_and_no_share_is_much_larger(sizes, world):
    tensors = {f"t{number}": torch.empty(size) for number, size in enumerate(sizes)}
    shares = [share_of(tensors, rank, world) for rank in range(world)]
    assert sorted(name for share in shares for name in share) == sorted(tensors)
    loads = [sum(tensor.numel() for tensor in share.values()) for share in shares]
    assert max(loads) - min(loads) <= max(sizes)

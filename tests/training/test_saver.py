"""Saving in the background: what is saved is what was, and a store that refuses costs nothing but the save."""

import threading
import time

import pytest
import torch
from prometheus_client import REGISTRY

from clsp.errors import StorageError
from clsp.training.checkpoints import Checkpoint, Checkpoints
from clsp.training.saver import Saver
from clsp.training.world import World


class Refusing:
    """A store that is full from some write on, or that makes writers wait."""

    def __init__(self, store, gate=None):
        self._store, self.full, self._gate = store, False, gate

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put_blob(self, key, data):
        if self._gate:
            assert self._gate.wait(30)
        if self.full:
            raise StorageError(f"cannot use {key!r}: No space left on device", hint="free space")
        self._store.put_blob(key, data)


def checkpoint(step, weights):
    return Checkpoint(step, {"w": weights}, {"rows": [step]})


def test_what_is_saved_is_the_state_at_the_call(store):
    gate, weights = threading.Event(), torch.arange(10.0)
    checkpoints = Checkpoints(Refusing(store, gate), "c")
    with Saver(checkpoints, World()) as saver:
        saver.save(checkpoint(5, weights))
        weights.add_(100)  # the loop goes on while the store is slow
        assert checkpoints.latest() is None
        gate.set()
    assert torch.equal(checkpoints.latest().tensors["w"], torch.arange(10.0))
    assert saver.saved == 1


def test_when_the_state_was_last_safe_is_told(store, monkeypatch):
    def told():
        return REGISTRY.get_sample_value("clsp_step_checkpoint_timestamp_seconds", {"step": "train_told"})

    refusing, now = Refusing(store), 1000.0
    monkeypatch.setattr("time.time", lambda: now)
    with Saver(Checkpoints(refusing, "c"), World(), "train_told") as saver:
        assert told() == 1000.0, "a run that begins or goes on has lost nothing yet"
        now = 2000.0
        saver.save(checkpoint(5, torch.zeros(3)))
        saver.settle()
        assert told() == 2000.0
        refusing.full, now = True, 3000.0
        saver.save(checkpoint(10, torch.zeros(3)))
        with pytest.raises(StorageError):
            saver.settle()
    assert told() == 2000.0, "what was not committed is not safe"


def test_a_full_store_is_a_clear_error_and_the_checkpoint_before_is_intact(store):
    refusing = Refusing(store)
    checkpoints = Checkpoints(refusing, "c")
    saver = Saver(checkpoints, World())
    saver.save(checkpoint(5, torch.zeros(3)))
    saver.settle()
    refusing.full = True
    saver.save(checkpoint(10, torch.ones(3)))
    with pytest.raises(StorageError, match=r"step 10 could not be saved: .*No space left") as caught:
        _check_until_written(saver)
    assert "free space" in caught.value.hint
    assert "run again to go on from it" in caught.value.hint
    assert checkpoints.latest().step == 5
    refusing.full = False
    with saver:
        saver.save(checkpoint(10, torch.ones(3)))
    assert checkpoints.latest().step == 10


def _check_until_written(saver):
    """What the loop does between steps; the error must come from ``check``, not from waiting."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        saver.check()
        time.sleep(0.01)


def test_an_error_of_the_last_save_is_raised_at_the_end(store):
    refusing = Refusing(store)
    refusing.full = True
    with pytest.raises(StorageError, match="step 5"), Saver(Checkpoints(refusing, "c"), World()) as saver:
        saver.save(checkpoint(5, torch.zeros(3)))

"""Both stages through torchrun, and killed at random instants: what is left goes on to the same weights."""

import contextlib
import os
import random
import subprocess
import sys
import time

import orjson
import psutil
import pytest

from clsp.errors import TrainingError
from clsp.storage import open_store
from clsp.storage.manifest import load_manifest
from components.train.main import run_stage1, run_stage2
from tests.speech import save_tones

SETTINGS = {
    "vocabulary": 320,
    "loader": {"workers": 1},
    "checkpoint": {"every": 2},
    "stage1": {"steps": 12, "batch": {"global_clips": 4, "buckets": 2}, "optimiser": {"base_lr": 0.01}},
    "stage2": {"steps": 4, "batch": {"global_clips": 4, "buckets": 2}, "optimiser": {"base_lr": 0.01}},
}
STEP = """
import sys
from components.train.main import run_stage1
print(run_stage1(store=sys.argv[1], run_id="killed", settings=sys.argv[2], examples=sys.argv[3]))
"""


def settings(**changes):
    return orjson.dumps(SETTINGS | changes).decode()


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "store")


def files(store, name):
    return {shard.kind: shard.sha256 for shard in load_manifest(store, name).shards}


@pytest.mark.slow
def test_both_stages_leave_a_loadable_model_and_its_progress(folder):
    store = open_store(folder)
    examples = save_tones(store, 8)
    stage1 = run_stage1(store=folder, run_id="r", settings=settings(), examples=examples)
    stage2 = run_stage2(store=folder, run_id="r", settings=settings(), examples=examples, stage1=stage1)
    manifest = load_manifest(store, stage2)
    kinds = {shard.kind for shard in manifest.shards}
    assert {"file/config.json", "file/model.safetensors", "file/tokenizer.json", "progress"} <= kinds
    assert manifest.counts.rows_in == manifest.counts.accepted == 8
    assert manifest.info["steps"] == 4
    assert files(store, stage1)["file/tokenizer.json"] == files(store, stage2)["file/tokenizer.json"]
    assert files(store, stage1)["file/model.safetensors"] != files(store, stage2)["file/model.safetensors"]


@pytest.mark.slow
def test_killed_at_random_instants_it_ends_with_the_same_manifest(tmp_path):
    folders = [str(tmp_path / name) for name in ("whole", "killed")]
    examples = {folder: save_tones(open_store(folder), 8) for folder in folders}
    whole = run_stage1(store=folders[0], run_id="r", settings=settings(), examples=examples[folders[0]])
    seen = _killed_until_done(folders[1], examples[folders[1]], random.Random(os.getpid()))
    again = run_stage1(store=folders[1], run_id="r", settings=settings(), examples=examples[folders[1]])
    assert seen, "it was killed with a checkpoint behind it at least once"
    assert again == whole


def _killed_until_done(folder, examples, draw):
    """Kill the step's whole process tree after each of two random numbers of checkpoints; returns what it had saved."""
    seen = []
    for steps in sorted(draw.sample(range(2, 12, 2), 2)):
        process = subprocess.Popen([sys.executable, "-c", STEP, folder, settings(), examples])
        seen.append(_wait_for_checkpoint(folder, steps, process))
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait(60)
        _, alive = psutil.wait_procs(children, timeout=30)
        assert not alive
    return seen


def _wait_for_checkpoint(folder, step, process):
    store = open_store(folder)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        saved = [key for key in store.list("checkpoints/") if "/steps/" in key]
        if saved and int(max(saved).rpartition("/")[2].removesuffix(".json")) >= step:
            return saved
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert process.wait(0.05) is None, "the step ended before it was killed"
    raise AssertionError(f"no checkpoint of step {step}")


def test_an_error_of_a_worker_reaches_the_caller(folder):
    examples = save_tones(open_store(folder), 4)
    uneven = settings(stage1={"steps": 1, "batch": {"global_clips": 3}})
    with pytest.raises(TrainingError, match="cannot be shared by 2 processes"):
        run_stage1(store=folder, run_id="r", settings=uneven, examples=examples)


def test_nothing_to_train_on_is_said(folder):
    examples = save_tones(open_store(folder), 4, split="test")
    with pytest.raises(TrainingError, match="no training example"):
        run_stage1(store=folder, run_id="r", settings=settings(), examples=examples)

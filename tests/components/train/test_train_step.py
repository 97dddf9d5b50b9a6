"""Both stages through torchrun, and killed at a random instant: what is left goes on to the same weights."""

import contextlib
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
    "stage1": {"steps": 16, "batch": {"global_clips": 4, "buckets": 2}, "optimiser": {"base_lr": 0.01}},
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store with an undisturbed stage 1, its examples and its manifest."""
    folder = str(tmp_path_factory.mktemp("whole"))
    examples = save_tones(open_store(folder), 8)
    return folder, examples, run_stage1(store=folder, run_id="r", settings=settings(), examples=examples)


def files(store, name):
    return {shard.kind: shard.sha256 for shard in load_manifest(store, name).shards}


@pytest.mark.slow
def test_both_stages_leave_a_loadable_model_and_its_progress(whole):
    folder, examples, stage1 = whole
    store = open_store(folder)
    stage2 = run_stage2(store=folder, run_id="r", settings=settings(), examples=examples, stage1=stage1)
    manifest = load_manifest(store, stage2)
    kinds = {shard.kind for shard in manifest.shards}
    assert {"file/config.json", "file/model.safetensors", "file/tokenizer.json", "progress"} <= kinds
    assert manifest.counts.rows_in == manifest.counts.accepted == 8
    assert manifest.info["steps"] == 4
    assert files(store, stage1)["file/tokenizer.json"] == files(store, stage2)["file/tokenizer.json"]
    assert files(store, stage1)["file/model.safetensors"] != files(store, stage2)["file/model.safetensors"]


@pytest.mark.slow
def test_killed_at_a_random_instant_it_ends_with_the_same_manifest(whole, folder):
    examples = save_tones(open_store(folder), 8)
    process = subprocess.Popen([sys.executable, "-c", STEP, folder, settings(), examples])
    _wait_for_checkpoint(folder, random.choice([2, 4, 6]), process)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait(60)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
    assert run_stage1(store=folder, run_id="r", settings=settings(), examples=examples) == whole[2]


def _wait_for_checkpoint(folder, step, process):
    store = open_store(folder)
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        saved = [key for key in store.list("checkpoints/") if "/steps/" in key]
        if saved and int(max(saved).rpartition("/")[2].removesuffix(".json")) >= step:
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert process.wait(0.05) is None, "the step ended before it was killed"
    raise AssertionError(f"no checkpoint of step {step}")


def test_an_error_of_a_worker_reaches_the_caller(folder):
    examples = save_tones(open_store(folder), 4)
    greedy = settings(processes=1, stage1={"steps": 1, "batch": {"global_clips": 8}})
    with pytest.raises(TrainingError, match="4 clips do not fill one global batch of 8"):
        run_stage1(store=folder, run_id="r", settings=greedy, examples=examples)


def test_nothing_to_train_on_is_said(folder):
    examples = save_tones(open_store(folder), 4, split="test")
    with pytest.raises(TrainingError, match="no training example"):
        run_stage1(store=folder, run_id="r", settings=settings(), examples=examples)

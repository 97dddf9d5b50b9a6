"""SIGKILL at any instant: nothing goes on running, and the flow, started again, ends as an undisturbed run does."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from clsp.storage import open_store
from clsp.storage.files import fetch_files
from clsp.storage.manifest import load_manifest
from tests.flow.small_flow import MARK, run_small_flow, start_small_flow

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def kill_within(process: subprocess.Popen, step: str, seconds: float) -> None:
    """Let the flow come to a step and run on for a while, then kill all of it, unless it had ended."""
    while f"… {step} " not in (line := process.stderr.readline()):
        assert line, f"it ended before {step}"
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_killed_at_a_random_instant_of_every_step_it_ends_in_a_folder_as_an_undisturbed_run_on_s3(
    undisturbed, tmp_path
):
    assert undisturbed.store.uri.startswith("s3://")
    store = str(tmp_path / "store")
    generator = random.Random(20260111)
    for step, report in undisturbed.reports.items():
        process = start_small_flow(undisturbed.source, store)
        kill_within(process, step, generator.uniform(0.0, report.seconds))
        wait_until_nothing_runs(store)
    reports = run_small_flow(undisturbed.source, store, "after", undisturbed.config)
    made = {name: report.manifest for name, report in reports.items()}
    before_training = ("ingest", "annotate", "verify", "validate", "features")
    assert {name: made[name] for name in before_training} == {
        name: undisturbed.manifests[name] for name in before_training
    }
    for stage in ("train_stage1", "train_stage2"):
        expected = weights(undisturbed.store, undisturbed.manifests[stage], tmp_path / f"{stage}-expected")
        found = weights(open_store(store), made[stage], tmp_path / f"{stage}-found")
        assert expected.keys() == found.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-5, err_msg=name)
    assert made == undisturbed.manifests


def weights(store, name: str, folder: Path) -> dict[str, np.ndarray]:
    folder.mkdir()
    fetch_files(store, load_manifest(store, name).shards, folder)
    return load_file(folder / "model.safetensors")


def wait_until_nothing_runs(store: str) -> None:
    deadline = time.monotonic() + 10
    while alive := processes_of(store):
        assert time.monotonic() < deadline, f"still running: {alive}"
        time.sleep(0.05)


def processes_of(store: str) -> list[str]:
    """Processes that inherited this run's mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={store}".encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().decode(errors="replace"))
        except OSError:
            continue
    return found

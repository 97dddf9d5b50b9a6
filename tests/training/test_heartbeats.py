"""A worker that stops beating is ended; one that beats, rests or has ended is left alone."""

import os
import signal
import subprocess
import sys
import time

import pytest

from clsp.storage.manifest import manifest_key
from clsp.training.heartbeats import FOLDER, Heartbeat, Watch
from clsp.training.job import Job
from clsp.training.launch import launch, read_failure, run_agent
from clsp.training.stopping import InterruptionError
from tests.training.bench import Bench

WORKER = """
import sys, time
from pathlib import Path
from clsp.training.heartbeats import Heartbeat
heartbeat = Heartbeat.of(Path(sys.argv[1]), 3)
heartbeat.beat(7)
print("beats", flush=True)
if sys.stdin.readline().strip() == "rest":
    heartbeat.rest()
    print("rests", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def worker(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "beats\n"
    yield process
    process.kill()
    process.communicate()


def test_a_stopped_worker_is_killed_and_named(worker, tmp_path):
    worker.send_signal(signal.SIGSTOP)
    assert Watch(tmp_path, 60, 60).end_hung() is None
    time.sleep(0.05)
    said = Watch(tmp_path, 0.01, 60).end_hung()
    assert "process 3 did not answer" in said.args[0]
    assert "at step 7" in said.args[0]
    assert worker.wait(10) == -signal.SIGKILL
    assert Watch(tmp_path, 0.01, 60).end_hung() is None


def test_a_resting_worker_is_not_timed(worker, tmp_path):
    worker.stdin.write("rest\n")
    worker.stdin.flush()
    assert worker.stdout.readline() == "rests\n"
    assert Watch(tmp_path, 0.0, 0.0).end_hung() is None
    assert worker.poll() is None


def test_before_its_first_step_a_worker_has_a_limit_of_its_own(tmp_path):
    heartbeat = Heartbeat.of(tmp_path, 2)
    heartbeat.start()
    time.sleep(0.05)
    assert Watch(tmp_path, 0.01, 60).end_hung() is None
    heartbeat.beat(0)
    assert Watch(tmp_path, 60, 0.0).end_hung() is None
    heartbeat.rest()


@pytest.mark.slow
def test_a_real_worker_that_hangs_before_its_first_step_is_ended_and_named(tmp_path):
    """It reads the examples from a pipe that nobody writes to."""
    bench = Bench.make(tmp_path)
    examples = tmp_path / "store" / manifest_key(bench.manifest)
    examples.unlink()
    os.mkfifo(examples)
    settings = {"processes": 1, "restarts": 0, "start_seconds": 6}
    with pytest.raises(InterruptionError, match="process 0 did not begin its first step within"):
        launch(Job("stage1", str(tmp_path / "store"), bench.manifest, "c", "", str(tmp_path), settings))


def test_what_a_lost_worker_left_is_no_heartbeat(worker, tmp_path):
    worker.kill()
    worker.wait(10)
    assert Watch(tmp_path, 0.0, 0.0).end_hung() is None
    assert not list((tmp_path / FOLDER).iterdir())


def test_each_beat_starts_the_time_again(tmp_path, monkeypatch):
    heartbeat, now, killed = Heartbeat.of(tmp_path, 0), 0, []
    monkeypatch.setattr("time.monotonic_ns", lambda: now)
    monkeypatch.setattr("os.kill", lambda pid, _: killed.append(pid))  # it would be this process
    heartbeat.beat(1)
    now = 110 * 10**9
    heartbeat.beat(2)
    now = 220 * 10**9
    assert Watch(tmp_path, 60, 60).end_hung() is None
    assert not killed
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [str(os.getpid())]
    heartbeat.rest()


def test_the_launcher_ends_a_worker_that_hangs_alone_and_says_so(tmp_path):
    stops = "import os, sys; from pathlib import Path; from clsp.training.heartbeats import Heartbeat\n"
    stops += "Heartbeat.of(Path(sys.argv[1]), 0).beat(5); os.kill(os.getpid(), 19)"
    status = run_agent([sys.executable, "-c", stops, str(tmp_path)], dict(os.environ), Watch(tmp_path, 0.1, 60))
    assert status == -signal.SIGKILL
    assert "process 0 did not answer" in read_failure(tmp_path, status).args[0]

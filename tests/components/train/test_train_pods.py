"""What training pods run, as processes of this machine: they share nothing but the store and the rendezvous."""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import orjson
import pytest

from clsp.config import TrainSettings
from clsp.errors import TrainingError
from clsp.storage import open_store
from components.train.exchange import Exchange
from components.train.main import run_stage1
from components.train.order import load_order, make_order, save_order
from components.train.training import train
from tests.speech import save_tones

SETTINGS = {
    "vocabulary": 320,
    "loader": {"workers": 1},
    "checkpoint": {"every": 2},
    "stage1": {"steps": 6, "batch": {"global_clips": 4, "buckets": 2}, "optimiser": {"base_lr": 0.01}},
}


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "store")


def order_of(store, examples, **changes):
    settings = TrainSettings.model_validate(SETTINGS | changes)
    return make_order(store, "stage1", settings, (examples,), "checkpoints/stage1/key")


@contextmanager
def rendezvous():
    """A rendezvous pod; gives its address."""
    command = [sys.executable, "-m", "clsp.training.rendezvous", "--port", "0"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "CLSP_LOG_FORMAT": "json"})
    try:
        port = orjson.loads(next(line for line in child.stderr if b"rendezvous_ready" in line))["port"]
        yield f"127.0.0.1:{port}"
        child.terminate()
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
        child.stderr.close()


def start_pod(store, key, address, *, nodes="2:2", **streams):
    options = {
        "store": store.uri, "order": key, "attempt": "a1", "nodes": nodes, "rendezvous": address,
        "processes": "1", "late-seconds": "5", "wait-seconds": "120",
    }  # fmt: skip
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    environment = {**os.environ, "POD_IP": "127.0.0.1"}
    return subprocess.Popen([sys.executable, "-m", "components.train.worker", *arguments], env=environment, **streams)


def finish(pods):
    try:
        return [pod.wait(240) for pod in pods]
    finally:
        for pod in pods:
            pod.kill()
            pod.wait()


@pytest.mark.slow
def test_two_pods_leave_what_one_machine_does(folder, tmp_path):
    store, other = open_store(folder), open_store(str(tmp_path / "other"))
    examples = save_tones(store, 8)
    assert save_tones(other, 8) == examples
    settings = orjson.dumps(SETTINGS).decode()
    local = run_stage1(store=other.uri, run_id="r", settings=settings, examples=examples)

    def on_two_pods(opened, order):
        with rendezvous() as address:
            key = save_order(opened, order)
            assert finish([start_pod(opened, key, address) for _ in range(2)]) == [0, 0]
            assert finish([start_pod(opened, key, "127.0.0.1:1")]) == [0]  # started again when all is done
        return Exchange(opened, order.checkpoints, "a1").trained()

    outcome = train(store, order_of(store, examples), on_two_pods)
    manifest = orjson.loads(other.get(f"manifests/{local}.json"))
    assert [shard.model_dump() for shard in outcome.shards] == manifest["shards"]
    assert outcome.info == manifest["info"]


@pytest.mark.slow
def test_the_reason_of_a_worker_reaches_the_step_and_ends_the_pod_for_good(folder):
    store = open_store(folder)
    order = order_of(store, save_tones(store, 8), stage1={"steps": 4, "batch": {"global_clips": 64}})
    with rendezvous() as address:
        codes = finish([start_pod(store, save_order(store, order), address, nodes="1:1")])
    error = Exchange(store, order.checkpoints, "a1").error()
    assert codes == [error.exit_code]
    assert error.hint


def test_an_order_survives_the_store(folder):
    store = open_store(folder)
    order = order_of(store, save_tones(store, 8))
    assert load_order(store, save_order(store, order)) == order
    assert order.rows == 8


def test_the_first_outcome_and_the_first_error_of_an_attempt_count(folder):
    store = open_store(folder)
    exchange = Exchange(store, "checkpoints/x", "a1")
    assert exchange.trained() is None
    assert exchange.error() is None
    exchange.report(TrainingError("first", hint="h"))
    exchange.report(TrainingError("second"))
    error = exchange.error()
    assert (type(error), error.args[0], error.hint) == (TrainingError, "first", "h")
    assert Exchange(store, "checkpoints/x", "a2").error() is None


def test_a_pod_told_to_stop_asks_for_another_try(folder):
    store = open_store(folder)
    key = save_order(store, order_of(store, save_tones(store, 8)))
    pod = start_pod(store, key, "127.0.0.1:1", stderr=subprocess.PIPE)
    try:
        next(line for line in pod.stderr if b"worker_waits" in line)
        pod.send_signal(signal.SIGTERM)
        assert pod.wait(60) == 128 + signal.SIGTERM
    finally:
        pod.kill()
        pod.wait()
        pod.stderr.close()

"""The step that follows a training job, against an API server in whose place the test plays the operator."""

import os
import signal
import threading
from contextlib import contextmanager

import pytest

from clsp.config import ClusterSettings, TrainSettings
from clsp.errors import ClspError, ModelError, TrainingError
from components.kubernetes.objects import POD, new_object
from components.train.cluster import launcher
from components.train.cluster.launcher import train_on
from components.train.cluster.submission import ATTEMPT, ORDER, WORKERS
from components.train.exchange import Exchange
from components.train.order import Order, save_order
from components.train.training import Trained
from tests.cluster.harness.waiting import until
from tests.components.kubernetes.fake_api import fake_cluster

JOBS = "/apis/kubeflow.org/v1/namespaces/team-a/pytorchjobs"
PODS = "/api/v1/namespaces/team-a/pods"
TRAINED = Trained(shards=(), info={"steps": 3})


@pytest.fixture
def order():
    settings = TrainSettings().model_dump(mode="json")
    return Order(
        stage="stage1", examples="e", rows=2, checkpoints="checkpoints/x", tokenizer=(), initial=(), settings=settings
    )


@pytest.fixture
def fake():
    with fake_cluster() as pair:
        yield pair


@contextmanager
def operator(api, play):
    """Call ``play(job, path)`` in a thread once the job is there; what it raises fails the test."""
    raised = []

    def run():
        try:
            with api.changed:
                assert api.changed.wait_for(lambda: any(path.startswith(f"{JOBS}/") for path in api.objects), 30)
                path = next(path for path in api.objects if path.startswith(f"{JOBS}/"))
            play(api.objects[path], path)
        except Exception as error:  # noqa: BLE001 - it is raised again in the test's own thread
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
    for error in raised:
        raise error


def attempt_of(job):
    return job["metadata"]["annotations"][ATTEMPT]


def end(api, job, path, kind, message=""):
    conditions = [{"type": kind, "status": "True", "message": message}]
    api.put(path, {**job, "status": {"conditions": conditions}})


def worker(api, job, status, log=""):
    name = f"{job['metadata']['name']}-worker-0"
    labels = {"app.kubernetes.io/component": WORKERS, "app.kubernetes.io/instance": job["metadata"]["name"]}
    api.logs[f"{PODS}/{name}/log"] = log
    api.put(f"{PODS}/{name}", {**new_object(POD, name, labels), "status": status})


def launch(cluster, store, order, **train):
    return train_on(cluster, ClusterSettings(enabled=True, train=train), tick_seconds=1.0)(store, order)


def jobs(api):
    return [path for path in api.objects if path.startswith(f"{JOBS}/")]


def test_progress_is_passed_on_and_the_model_taken_over(fake, store, order, capfd):
    api, cluster = fake
    line = '{"event":"progress","step":"train_stage1","done":2,"total":3}'

    def play(job, path):
        worker(api, job, {"phase": "Running"}, f"2026-01-02T03:04:05.6Z {line}\n2026-01-02T03:04:05.7Z noise\n")
        Exchange(store, order.checkpoints, attempt_of(job)).leave(TRAINED)
        end(api, job, path, "Succeeded")

    with operator(api, play):
        assert launch(cluster, store, order) == TRAINED
    assert capfd.readouterr().err.splitlines().count(line) == 1
    assert not jobs(api)
    made = {path.split("/")[-2] for verb, path, _ in api.requests if verb == "PATCH"}
    assert made == {"pytorchjobs", "services", "deployments", "poddisruptionbudgets"}


def test_a_stage_that_was_finished_meanwhile_is_not_trained_again(fake, store, order):
    Exchange(store, order.checkpoints, "before").leave(TRAINED)
    assert launch(fake[1], store, order) == TRAINED
    assert not [path for verb, path, _ in fake[0].requests if verb == "PATCH"]


def test_the_reason_of_a_worker_reaches_the_step(fake, store, order):
    api, cluster = fake

    def play(job, path):
        Exchange(store, order.checkpoints, attempt_of(job)).report(ModelError("no tokenizer", hint="name one"))
        end(api, job, path, "Failed", "job is failing")

    with operator(api, play), pytest.raises(ModelError, match="no tokenizer") as caught:
        launch(cluster, store, order)
    assert caught.value.hint == "name one"


def test_without_a_word_of_a_worker_the_cluster_tells_why(fake, store, order):
    api, cluster = fake
    ended = {"name": "pytorch", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}

    def play(job, path):
        worker(api, job, {"phase": "Failed", "containerStatuses": [ended]})
        end(api, job, path, "Failed", "backoff limit")

    with operator(api, play), pytest.raises(TrainingError, match=r"pytorch ended with 137 \(OOMKilled\)"):
        launch(cluster, store, order)


def test_workers_that_keep_failing_end_the_step(fake, store, order):
    api, cluster = fake

    def play(job, path):
        worker(api, job, {"phase": "Failed", "reason": "Evicted", "message": "disk pressure"})

    with operator(api, play), pytest.raises(TrainingError, match=r"1 worker pods failed, 0 may.*disk pressure"):
        launch(cluster, store, order, retries=0)
    assert not jobs(api)


def test_workers_that_never_start_end_the_step_with_the_reason(fake, store, order):
    api, cluster = fake
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes have nvidia.com/gpu"}

    def play(job, path):
        worker(api, job, {"phase": "Pending", "conditions": [unscheduled]})

    with operator(api, play), pytest.raises(TrainingError, match="0/3 nodes have nvidia") as caught:
        launch(cluster, store, order, pending_seconds=1)
    assert "cluster.pools" in caught.value.hint
    assert not jobs(api)


def test_a_running_job_of_the_same_order_is_adopted(fake, store, order):
    api, cluster = fake
    with operator(api, lambda *_: None), pytest.raises(TrainingError):
        launch(cluster, store, order, pending_seconds=1)
    name = next(path for verb, path, _ in api.requests if verb == "PATCH" and path.startswith(JOBS))
    told = {ATTEMPT: "earlier", ORDER: save_order(store, order)}
    metadata = {"name": name.rpartition("/")[2], "annotations": told}
    api.put(name, {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": metadata, "spec": {}})
    api.requests.clear()

    def play(job, path):
        Exchange(store, order.checkpoints, "earlier").leave(TRAINED)
        end(api, job, path, "Succeeded")

    with operator(api, play):
        assert launch(cluster, store, order) == TRAINED
    assert not [path for verb, path, _ in api.requests if verb == "PATCH"]


@pytest.mark.parametrize("told", [{ATTEMPT: "earlier", ORDER: "another"}, {}])
def test_a_job_of_another_order_makes_room(fake, store, order, told):
    api, cluster = fake
    with operator(api, lambda *_: None), pytest.raises(TrainingError):
        launch(cluster, store, order, pending_seconds=1)
    name = next(path for verb, path, _ in api.requests if verb == "PATCH" and path.startswith(JOBS))
    metadata = {"name": name.rpartition("/")[2], "annotations": told}
    api.put(name, {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "metadata": metadata, "spec": {}})
    with pytest.raises(TrainingError, match="no running worker"):
        launch(cluster, store, order, pending_seconds=1)
    assert [verb for verb, path, _ in api.requests if path == name and verb in ("PATCH", "DELETE")][-3:] == [
        "DELETE",
        "PATCH",
        "DELETE",
    ]


def test_a_step_that_is_told_to_stop_cancels_its_job(fake, store, order):
    api, cluster = fake

    def play(job, path):
        worker(api, job, {"phase": "Running"})
        os.kill(os.getpid(), signal.SIGTERM)

    with operator(api, play), pytest.raises(SystemExit) as caught:
        launch(cluster, store, order)
    assert caught.value.code == 128 + signal.SIGTERM
    assert not jobs(api)


def test_a_deleted_job_is_said(fake, store, order):
    api, cluster = fake

    def play(job, path):
        worker(api, job, {"phase": "Running"})
        api.remove(path)

    with operator(api, play), pytest.raises(ClspError, match="was deleted"):
        launch(cluster, store, order)


def looks(api, path):
    """How often the step has looked at the job."""
    return sum(request[:2] == ("GET", path) for request in api.requests)


def test_a_long_wait_in_a_queue_does_not_end_the_step(fake, store, order, monkeypatch):
    api, cluster = fake
    monkeypatch.setattr(launcher, "_GONE_SECONDS", 0.0)

    def play(job, path):
        held = api.put(path, {**job, "spec": {**job["spec"], "runPolicy": {"suspend": True}}})
        until("it was held for longer than it may run", lambda: looks(api, path) >= 5, 30)
        Exchange(store, order.checkpoints, attempt_of(job)).leave(TRAINED)
        end(api, {**held, "spec": job["spec"]}, path, "Succeeded")

    with operator(api, play):
        assert launch(cluster, store, order, timeout_seconds=2) == TRAINED


def test_a_job_that_was_let_in_and_does_not_end_is_said(fake, store, order, monkeypatch):
    api, cluster = fake
    monkeypatch.setattr(launcher, "_GONE_SECONDS", 0.0)
    with (
        operator(api, lambda job, _: worker(api, job, {"phase": "Running"})),
        pytest.raises(TrainingError, match="did not end in time") as caught,
    ):
        launch(cluster, store, order, timeout_seconds=1)
    assert "cluster.train.timeout_seconds" in caught.value.hint
    assert not jobs(api)

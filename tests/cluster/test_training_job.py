"""A stage as a PyTorchJob and as a TrainJob: two pods leave the manifest of one machine; a reason reaches the step."""

from types import SimpleNamespace

import orjson
import pytest

from clsp.errors import ClspError
from clsp.storage import open_store
from components.train.main import run_stage1
from tests.cluster.harness.waiting import until
from tests.cluster.own_pods import SIZE, cluster_settings, store_of
from tests.speech import save_tones

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]
SETTINGS = {
    "vocabulary": 320,
    "loader": {"workers": 1},
    "checkpoint": {"every": 2},
    "stage1": {"steps": 6, "batch": {"global_clips": 4, "buckets": 2}, "optimiser": {"base_lr": 0.01}},
}

TOO_LARGE = {"steps": 2, "batch": {"global_clips": 64, "buckets": 1}}


def train(store, examples, where, **changes):
    settings = orjson.dumps(SETTINGS | changes).decode()
    return run_stage1(store=store.uri, run_id="r", settings=settings, examples=examples, cluster=where)


def settings_of(cluster, namespace, nodes, backend="pytorchjob"):
    work = {"backend": backend, "min_nodes": nodes, "max_nodes": nodes, "rendezvous": SIZE}
    return orjson.dumps(cluster_settings(cluster, namespace, train=work)).decode()


@pytest.fixture(params=["pytorchjob", "trainjob"])
def backend(request):
    """The operator that runs the training; Trainer v2 is installed for its own tests only."""
    if request.param == "trainjob":
        request.getfixturevalue("trainer")
    return request.param


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one machine makes of the examples, and what it says of a batch that they cannot fill."""
    store = open_store(str(tmp_path_factory.mktemp("alone")))
    examples = save_tones(store, 8)
    with pytest.raises(ClspError) as refused:
        train(store, examples, "{}", stage1=TOO_LARGE)
    return SimpleNamespace(examples=examples, manifest=train(store, examples, "{}"), refusal=refused.value)


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_a_training_on_two_pods_is_the_training_of_one_machine(cluster, namespace, backend, alone, monkeypatch, capfd):
    store = store_of(cluster, namespace, monkeypatch)
    examples = save_tones(store, 8)
    assert examples == alone.examples
    name = train(store, examples, settings_of(cluster, namespace, 2, backend))
    assert '"done":6,"total":6' in capfd.readouterr().err
    assert name == alone.manifest
    kubectl = cluster.kubectl.within(namespace)
    until("the job takes all its objects along", lambda: not kubectl("get", "pods,services", "-o", "name").strip(), 240)


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_the_reason_of_a_worker_reaches_the_step(cluster, namespace, backend, alone, monkeypatch):
    store = store_of(cluster, namespace, monkeypatch)
    examples = save_tones(store, 8)
    with pytest.raises(ClspError) as caught:
        train(store, examples, settings_of(cluster, namespace, 1, backend), stage1=TOO_LARGE)
    assert type(caught.value) is type(alone.refusal)
    assert (caught.value.args, caught.value.hint) == (alone.refusal.args, alone.refusal.hint)

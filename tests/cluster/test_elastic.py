"""An elastic stage on two nodes: one dies, training goes on with one worker, takes a new one in, and nothing shows."""

import threading

import orjson
import pytest

from clsp.storage import open_store
from clsp.storage.manifest import load_manifest, read_rows
from clsp.training.rows import ProgressRow
from components.train.main import run_stage1
from tests.cluster.harness.waiting import until
from tests.cluster.own_pods import SIZE, cluster_settings, store_of
from tests.speech import save_tones

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]
PRIORITY = "clsp-test-training"
FIRST = {"kubernetes.io/hostname": ["node-1"]}  # where what must outlive the other node runs
WORKER = SIZE | {"cpu": "1050m"}  # a node has two cores: there is room for one
SETTINGS = {
    "vocabulary": 320,
    "processes": 1,
    "timeout_seconds": 20,
    "restarts": 10,
    "checkpoint": {"every": 5, "average_every": 0},
    "stage1": {
        "steps": 140,
        # Many small parts make a step last, so that a node can come while one worker is at it.
        "batch": {"global_clips": 16, "buckets": 1, "micro_batches": 16},
        "optimiser": {"base_lr": 0.001},
    },
}


class Watched:
    """What the test sees of a training: its checkpoints and its objects."""

    def __init__(self, store, kubectl):
        self.store, self.kubectl = store, kubectl

    def newest(self):
        """Step of the newest checkpoint, and how many workers wrote it."""
        keys = [key for key in self.store.list("checkpoints/") if "/steps/" in key]
        if not keys:
            return 0, 0
        key = max(keys)
        return int(key.rpartition("/")[2].removesuffix(".json")), len(orjson.loads(self.store.get(key))["shares"])

    def wait(self, what, after, workers):
        """Until ``workers`` have written a checkpoint later than step ``after``."""

        def is_there():
            step, found = self.newest()
            return step > after and found == workers and step

        return until(what, is_there, 600, every=0.5)

    def pods(self, component):
        """Pods of the training by the node they are on."""
        found = self.kubectl.get("pods", "-l", f"app.kubernetes.io/component={component}")["items"]
        return {pod["spec"].get("nodeName"): pod for pod in found}


def check_manifests(watched):
    """What the job has beside its containers."""
    workers = watched.pods("train-worker")
    assert set(workers) == {"node-1", "node-2"}
    spec = workers["node-2"]["spec"]
    (container,) = spec["containers"]
    assert {mount["name"] for mount in container["volumeMounts"] if mount["mountPath"] == "/dev/shm"} == {"pytorch-shm"}
    assert {"name": "NCCL_SOCKET_IFNAME", "value": "eth0"} in container["env"]
    assert spec["priorityClassName"] == PRIORITY
    assert set(watched.pods("train-rendezvous")) == {"node-1"}
    (budget,) = watched.kubectl.get("poddisruptionbudgets")["items"]
    assert budget["spec"]["minAvailable"] == 1
    (job,) = watched.kubectl.get("pytorchjobs")["items"]
    assert (job["spec"]["elasticPolicy"]["minReplicas"], job["spec"]["elasticPolicy"]["maxReplicas"]) == (1, 2)
    return workers["node-2"]["metadata"]["name"]


def disturb(watched, machines, node):
    """Lose the second node, see one worker go on, add a node, see two workers go on."""
    step = watched.wait("two workers train", 10, 2)
    doomed = check_manifests(watched)
    machines.lose(node)
    watched.kubectl("delete", f"pod/{doomed}", "--force", "--grace-period=0", "--ignore-not-found")
    step = watched.wait("one worker goes on", step, 1)
    machines.add()
    return watched.wait("a new worker is taken in", step, 2)


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_a_training_outlives_a_node_and_takes_a_new_one_in(cluster, namespace, machines, monkeypatch, tmp_path):
    store, alone = store_of(cluster, namespace, monkeypatch), open_store(str(tmp_path / "alone"))
    examples = save_tones(store, 16)
    assert save_tones(alone, 16) == examples
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1}
    cluster.kubectl.apply([kind | {"metadata": {"name": PRIORITY}}])
    work = {"pool": "workers", "min_nodes": 1, "max_nodes": 2, "size": WORKER, "rendezvous": SIZE, "late_seconds": 5}
    where = cluster_settings(cluster, namespace, train=work)
    where["pools"] = {"cpu": {"node_labels": FIRST}, "a100": {}, "workers": {"priority_class": PRIORITY}}
    settings, results = orjson.dumps(SETTINGS).decode(), []
    node, watched = machines.add(), Watched(store, cluster.kubectl.within(namespace))

    def train():
        given = {"settings": settings, "cluster": orjson.dumps(where).decode()}
        results.append(run_stage1(store=store.uri, run_id="r", examples=examples, **given))

    training = threading.Thread(target=train, daemon=True)
    training.start()
    taken_in = disturb(watched, machines, node)
    training.join(900)
    assert results, "the training did not end"
    assert taken_in < SETTINGS["stage1"]["steps"]
    whole = run_stage1(store=alone.uri, run_id="r", settings=settings, examples=examples)
    assert losses(store, results[0]) == pytest.approx(losses(alone, whole), rel=1e-5)


def losses(store, name):
    rows = list(read_rows(store, load_manifest(store, name), "progress", ProgressRow))
    assert [row.step for row in rows] == list(range(SETTINGS["stage1"]["steps"]))
    return [row.loss for row in rows]

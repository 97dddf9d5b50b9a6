"""Kueue holds our jobs back until their quota is free, lets one after the other in, and both end as without it."""

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from components.annotate.main import run as annotate
from components.kubernetes.objects import Kind
from pipelines.cli import app
from tests.captioning import QUICK, save_voices
from tests.chart.rendering import CHART, helm, values_file
from tests.cluster.harness.looking import looking
from tests.cluster.harness.waiting import until
from tests.cluster.own_pods import SIZE, cluster_settings, store_of
from tests.cluster.test_caption_job import ENGINE
from tests.cluster.test_training_job import train
from tests.speech import save_tones

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]

QUEUE = "clsp"
WORKLOAD = Kind("kueue.x-k8s.io/v1beta2", "Workload")
ANNOTATION = orjson.dumps({"views": 1, "captioner": {**QUICK, "timeout_seconds": 60.0}}).decode()
# What the client and the engine of one annotating pod ask for: a worker of training has no room beside them.
QUOTA = {"cpu": "100m", "memory": "4Gi"}


def queues(namespace: str, *, held: bool) -> list[dict]:
    """A ClusterQueue of the test's own with its flavor, and the namespace's queue that draws from it."""
    api = {"apiVersion": "kueue.x-k8s.io/v1beta2"}
    resources = [{"name": name, "nominalQuota": amount} for name, amount in QUOTA.items()]
    group = {"coveredResources": list(QUOTA), "flavors": [{"name": namespace, "resources": resources}]}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    whole = {"namespaceSelector": selector, "resourceGroups": [group], "stopPolicy": "Hold" if held else "None"}
    return [
        {**api, "kind": "ResourceFlavor", "metadata": {"name": namespace}},
        {**api, "kind": "ClusterQueue", "metadata": {"name": namespace}, "spec": whole},
        {
            **api,
            "kind": "LocalQueue",
            "metadata": {"name": QUEUE, "namespace": namespace},
            "spec": {"clusterQueue": namespace},
        },
    ]


@pytest.fixture
def quota(cluster, kueue, namespace):
    """Opens and closes the test's queue, closed at first."""

    def hold(held: bool) -> None:
        cluster.kubectl.apply(queues(namespace, held=held))

    hold(True)
    yield hold
    cluster.kubectl("delete", "clusterqueue,resourceflavor", namespace, "--wait=false")


def workloads(looks) -> dict[str, bool]:
    """Kind of each queued job → whether it holds quota now."""
    told = {}
    for item in looks.find(WORKLOAD):
        conditions = item.get("status", {}).get("conditions", [])
        true = {one["type"] for one in conditions if one["status"] == "True"}
        told[item["metadata"]["ownerReferences"][0]["kind"]] = "Admitted" in true and "Finished" not in true
    return told


def newest(looks) -> datetime:
    """When the youngest queued job came, to the second."""
    stamps = [item["metadata"]["creationTimestamp"] for item in looks.find(WORKLOAD)]
    return datetime.fromisoformat(max(stamps))


def is_past(second: datetime) -> bool:
    return datetime.now(UTC) >= second + timedelta(seconds=1)


def admissions(looks, *steps: Future) -> list[set[str]]:
    """Which kinds held quota, each time that changed, until the steps are over."""
    seen: list[set[str]] = [set()]

    def are_over() -> bool:
        now = {kind for kind, holds in workloads(looks).items() if holds}
        if now != seen[-1]:
            seen.append(now)
        return all(step.done() for step in steps)

    until("the steps are over", are_over, 600)
    return [kinds for kinds in seen if kinds]


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_jobs_wait_for_quota_and_are_let_in_one_after_the_other(cluster, namespace, quota, monkeypatch):
    store, kubectl = store_of(cluster, namespace, monkeypatch), cluster.kubectl.within(namespace)
    looks, segments, examples = looking(kubectl), save_voices(store, 4), save_tones(store, 8)
    work = {"pool": "gpu", "workers": 1, "engine": SIZE, "engine_command": ENGINE, "engine_start_seconds": 300}
    settings = cluster_settings(
        cluster,
        namespace,
        annotate=work,
        train={"pool": "gpu", "min_nodes": 1, "max_nodes": 1, "rendezvous": SIZE},
    )
    settings["pools"] |= {"gpu": {"queue": QUEUE}}
    where = orjson.dumps(settings).decode()
    with ThreadPoolExecutor(2) as steps:
        captions = steps.submit(
            annotate, store=store.uri, run_id="r", settings=ANNOTATION, segments=segments, cluster=where
        )
        until("the Job is queued", lambda: "Job" in workloads(looks), 60)
        until("its second is over, by which Kueue tells first from next", lambda: is_past(newest(looks)), 10)
        model = steps.submit(train, store, examples, where)
        until("the PyTorchJob is queued", lambda: "PyTorchJob" in workloads(looks), 60)
        assert kubectl.get("jobs")["items"][0]["spec"]["suspend"]
        assert kubectl.get("pytorchjobs")["items"][0]["spec"]["runPolicy"]["suspend"]
        assert not [name for name in kubectl("get", "pods", "-o", "name").split() if "rdzv" not in name]
        quota(False)
        assert admissions(looks, captions, model) == [{"Job"}, {"PyTorchJob"}]
        assert captions.result()
        assert model.result()


@pytest.fixture
def queued_release(cluster, namespace, kueue, keda, prometheus, monkeypatch, tmp_path):
    """The chart's ci/kueue-values.yaml, installed; runs doctor on it and gives its findings by part."""
    store_of(cluster, namespace, monkeypatch)
    chosen = yaml.safe_load(values_file("kueue").read_text())
    chosen["store"] |= {"bucket": cluster.store.bucket, "prefix": namespace, "endpoint": cluster.store.endpoint}
    chosen["kueue"]["clusterQueue"] = namespace
    where = ("--kubeconfig", str(cluster.kubeconfig), "-n", namespace)
    done = helm("install", "clsp", str(CHART), *where, values=chosen)
    assert done.returncode == 0, done.stderr
    files = cluster.kubectl.within(namespace).get("configmap", "clsp-platform")["data"]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("CLSP_PLATFORM", str(tmp_path / "platform.yaml"))

    def examine() -> dict[str, dict]:
        settings = ["--config", str(tmp_path / "clsp.yaml"), "--namespace", namespace, "--json"]
        answer = CliRunner().invoke(app, ["doctor", *settings])
        return {finding["part"]: finding for finding in orjson.loads(answer.stdout)}

    yield examine
    helm("uninstall", "clsp", *where)


def test_doctor_finds_the_operators_and_tells_what_queues_lack(cluster, namespace, queued_release, quota):
    found = queued_release()
    assert found["Kueue"]["says"] == "kueue.x-k8s.io/v1beta2, version 0.19"
    assert found["KEDA"]["says"] == "keda.sh/v1alpha1, version 2.18"
    assert found["queue training"]["severity"] == "error"
    assert f"there is no LocalQueue training in {namespace} (there is clsp)" in found["queue training"]["says"]
    assert "correct cluster.pools.h100.queue, or make the queue" in found["queue training"]["mend"]
    assert found["queue clsp"]["severity"] == "error", "its ClusterQueue is held"
    quota(False)
    api = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "LocalQueue"}
    cluster.kubectl.within(namespace).apply(
        [{**api, "metadata": {"name": "training"}, "spec": {"clusterQueue": namespace}}]
    )

    def mended() -> bool:
        now = queued_release()
        return {now[part]["severity"] for part in ("queue clsp", "queue training")} == {"ok"}

    until("both queues let work in", mended, 60)

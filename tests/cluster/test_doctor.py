"""`clsp doctor` against real parts: as the release's pod it finds all in order, and each fault is named with its mend.

What KServe of another age says is seen on a second cluster that has none of the operators.
"""

import copy
from typing import Any

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from pipelines.cli import app
from tests.chart.rendering import find, render
from tests.cluster.harness.access import Access
from tests.cluster.harness.waiting import until
from tests.cluster.old_kserve import CRD, old_controller, old_kserve
from tests.cluster.own_pods import SECRET, store_of

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]
ROLES = ("step", "trainer", "embedder")

CPU = dict.fromkeys(("annotate", "verify", "train", "serve", "steps"), "cpu")
CANARY = {"model": {"uri": "clsp/v2"}, "canary": {"enabled": True, "uri": "clsp/v3"}}
Findings = dict[str, dict[str, Any]]


def release_of(cluster: Access, namespace: str, **values: Any) -> list[dict[str, Any]]:
    """The objects of a release whose store is the cluster's MinIO."""
    store = {"bucket": cluster.store.bucket, "prefix": namespace, "secretName": SECRET}
    given = {"store": {**store, "endpoint": cluster.store.endpoint}, "placement": CPU, "rbac": {"clusterRead": True}}
    return render({**given, **values}, namespace=namespace)


@pytest.fixture
def installed(cluster, namespace, monkeypatch):
    """A release's objects in the namespace, all but the pods of `helm test`, and the settings of its runs as a file."""
    store_of(cluster, namespace, monkeypatch)
    objects = release_of(cluster, namespace)
    cluster.kubectl.within(namespace).apply([item for item in objects if item["kind"] != "Pod"])
    yield objects
    for item in objects:
        if item["kind"].startswith("ClusterRole"):
            cluster.kubectl("delete", item["kind"], item["metadata"]["name"], "--ignore-not-found")


@pytest.fixture
def ask(monkeypatch, tmp_path):
    """Runs doctor here on a release's ConfigMap, as somebody with a kubeconfig would; what it found by part."""

    def run(objects: list[dict[str, Any]], *options: str, code: int = 2, **cluster: Any) -> Findings:
        data = find(objects, "ConfigMap", "-platform")["data"]
        settings = yaml.safe_load(data["clsp.yaml"])
        settings["cluster"].update(cluster)
        for name, text in (("clsp.yaml", yaml.safe_dump(settings)), ("platform.yaml", data["platform.yaml"])):
            (tmp_path / name).write_text(text)
        monkeypatch.setenv("CLSP_CONFIG", str(tmp_path / "clsp.yaml"))
        monkeypatch.setenv("CLSP_PLATFORM", str(tmp_path / "platform.yaml"))
        answer = CliRunner().invoke(app, ["doctor", "--json", *options])
        assert answer.exit_code == code, answer.stdout
        return by_part(answer.stdout)

    return run


def by_part(text: str) -> Findings:
    return {finding["part"]: finding for finding in orjson.loads(text)}


def is_told(cluster: Access, role: str) -> bool:
    """Whether a node's status lists the image of ``role`` yet: a kubelet tells of new ones a while later."""
    nodes = cluster.kubectl.get("nodes")["items"]
    return any(f"-{role}:" in name for node in nodes for image in node["status"]["images"] for name in image["names"])


def test_as_a_job_of_the_release_all_is_in_order(cluster, namespace, installed, role_images):
    role_images(*ROLES)
    until("the nodes tell of the images", lambda: all(is_told(cluster, role) for role in ROLES), 120)
    kubectl = cluster.kubectl.within(namespace)
    for name, extra in (("table", []), ("json", ["--json"])):
        spec = copy.deepcopy(find(installed, "Pod", "-doctor")["spec"])
        spec["containers"][0]["command"] += extra
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}}
        kubectl.apply([{**job, "spec": {"backoffLimit": 0, "template": {"spec": spec}}}])
    kubectl.wait("condition=Complete", "job/table", "job/json", timeout=300)
    found = by_part(kubectl("logs", "job/json"))
    said = {part: finding["says"] for part, finding in found.items() if finding["severity"] == "ok"}
    assert said["storage"] == f"s3://{cluster.store.bucket}/{namespace}: put, get, list, commit once and delete work"
    assert said["KServe"].endswith("with canary")
    assert said["training-operator"].startswith("kubeflow.org/v1")
    assert said["rights"] == f"clsp-steps may do all that steps do in {namespace}"
    assert said["pool cpu"] == f"{len(cluster.kubectl.get('nodes')['items'])} nodes"
    assert "3 of 3 are on a node" in said["images"]
    assert found["secret"]["severity"] == "skipped", "doctor's account may not read secrets"
    assert {finding["severity"] for finding in found.values()} <= {"ok", "skipped"}
    table = kubectl("logs", "job/table").splitlines()
    assert {line.split()[1] for line in table if line.startswith("ok")} >= {"storage", "KServe", "rights"}


def test_what_is_wrong_is_named_with_its_mend(cluster, namespace, installed, ask, monkeypatch):
    kubectl = cluster.kubectl.within(namespace)
    assert ask(installed, "--strict", code=0)["secret"]["severity"] == "ok"
    assert ask(installed, code=0, train={"pool": "a100"})["pool a100"]["severity"] == "warning"
    assert ask(installed, "--strict", code=1, train={"pool": "a100"})["pool a100"]["severity"] == "warning"
    kubectl("delete", "secret", SECRET)
    kubectl("delete", "rolebinding", "clsp-steps")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    found = ask(installed, train={"pool": "a100"})
    assert found["secret"]["mend"].startswith(f"kubectl -n {namespace} create secret generic {SECRET} --from-literal=")
    assert "clsp-steps may not" in found["rights"]["says"]
    assert "rbac.create" in found["rights"]["mend"]
    assert "endpoint http://127.0.0.1:9" in found["storage"]["says"]
    assert found["storage"]["mend"]
    assert "no node has nvidia.com/gpu.product in" in found["pool a100"]["says"]
    assert found["pool a100"]["severity"] == "warning"
    unknown = ask(installed, train={"pool": "h200"})
    assert "train.pool 'h200' is unknown; cluster.pools has a100, cpu" in unknown["configuration"]["says"]


def test_a_cluster_without_kserve_or_with_an_old_one(cluster, bare, ask, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(bare.kubeconfig))
    objects = release_of(cluster, "default", serving={**CANARY, "kserve": {"version": "0.20.0"}})
    found = ask(objects)
    assert found["KServe"]["says"] == f"the cluster does not serve {CRD}"
    assert found["KServe"]["mend"] == "install KServe 0.20 or newer"
    assert "install training-operator 1.9" in found["training-operator"]["mend"]
    with old_kserve(cluster, bare):
        found = ask(objects)
    assert found["KServe"]["says"].endswith("ignores a canary")
    assert "upgrade KServe to 0.20" in found["KServe"]["mend"]
    with old_kserve(cluster, bare), old_controller(bare):
        found = ask(objects)
    assert found["KServe"]["says"].endswith("version 0.16 is too old: it has no Standard deployment mode")
    assert found["KServe"]["mend"] == "upgrade KServe to 0.20 (0.17 serves without a canary)"

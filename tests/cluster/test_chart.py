"""The chart on a real API server: install, upgrade, rollback and uninstall, and two releases that do not meet.

Every namespace enforces pod security "restricted".
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from clsp.config import ClusterSettings
from components.kubernetes.client import connect_release
from components.kubernetes.objects import JOB, new_object
from components.train.cluster.backends import PYTORCHJOB
from tests.chart.rendering import CHART, SHAPES, Object, helm, render_shape
from tests.cluster.harness.access import Access
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.waiting import until
from tests.cluster.old_kserve import old_kserve
from tests.cluster.pods import container, pod_spec

pytestmark = pytest.mark.cluster
_KINDS = (
    "pytorchjobs,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,jobs,pods,poddisruptionbudgets,services"
)
_OF_KUBERNETES = {"kube-root-ca.crt", "default"}
_ACCESS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "secret-of-a-test"}
Helm = Callable[..., str]


@pytest.fixture
def release(cluster: Access, namespace: str) -> Helm:
    """Runs helm on the cluster in the test's namespace; the output, or what it says when it is refused."""

    def run(verb: str, *arguments: str, values: dict[str, Any] | None = None, fails: bool = False) -> str:
        place = ("--kubeconfig", str(cluster.kubeconfig), "-n", namespace)
        result = helm(verb, *arguments, *place, values=values)
        assert (result.returncode != 0) == fails, result.stdout + result.stderr
        return result.stderr if fails else result.stdout

    return run


def _leave_work(namespace: str) -> None:
    """What a step that was killed outright leaves: a Job and a training job that wait, as steps apply them."""
    settings = ClusterSettings(namespace=namespace, owner="clsp-platform")
    spec = pod_spec(container("localhost/none:1", "true", name="pytorch"), restartPolicy="Never")
    train = {"replicas": 1, "restartPolicy": "Never", "template": {"spec": spec}}
    left = (
        new_object(JOB, "left", {}, spec={"suspend": True, "template": {"spec": spec}}),
        new_object(PYTORCHJOB, "left", {}, spec={"pytorchReplicaSpecs": {"Worker": train}}),
    )
    ours = connect_release(settings)
    for item in left:
        ours.apply(item)


@pytest.fixture
def secret(cluster: Access, namespace: str) -> str:
    """The user's own Secret with the store's credentials."""
    cluster.kubectl.within(namespace).apply([_secret("clsp-store")])
    return "clsp-store"


def _secret(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": _ACCESS}


def _values(secret: str, **more: Any) -> dict[str, Any]:
    return {"store": {"bucket": "speech", "secretName": secret}, "tests": {"enabled": False}, **more}


def _objects(cluster: Access, namespace: str) -> dict[str, Object]:
    """What a namespace holds, without what Kubernetes itself puts there."""
    found = json.loads(cluster.kubectl.within(namespace)("get", _KINDS, "-o", "json"))["items"]
    named = {f"{item['kind']}/{item['metadata']['name']}": item for item in found}
    return {name: item for name, item in named.items() if name.partition("/")[2] not in _OF_KUBERNETES}


def _flow(cluster: Access, namespace: str) -> dict[str, Any]:
    settings: dict[str, Any] = yaml.safe_load(
        _objects(cluster, namespace)["ConfigMap/clsp-platform"]["data"]["clsp.yaml"]
    )
    return settings


def test_install_upgrade_rollback_uninstall(
    cluster: Access, namespace: str, release: Helm, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    notes = release("install", "clsp", str(CHART), "--wait", values=_values(secret))
    assert "s3://speech/" in notes
    assert "Next:" in notes
    first = _objects(cluster, namespace)
    assert "NetworkPolicy/clsp-default-deny" in first

    changed = _values(secret, placement={"train": "cpu"}, networkPolicy={"enabled": False})
    release("upgrade", "clsp", str(CHART), "--wait", values=changed)
    assert _flow(cluster, namespace)["cluster"]["train"]["pool"] == "cpu"
    assert "NetworkPolicy/clsp-default-deny" not in _objects(cluster, namespace)

    release("rollback", "clsp", "1", "--wait")
    back = _objects(cluster, namespace)
    assert set(back) == set(first)
    assert back["ConfigMap/clsp-platform"]["data"] == first["ConfigMap/clsp-platform"]["data"]

    _leave_work(namespace)
    release("uninstall", "clsp", "--wait")
    until("what a run had left goes with the release", lambda: _objects(cluster, namespace) == {}, 60)
    kept = cluster.kubectl.within(namespace)("get", "secrets", "-o", "name").split()
    assert kept == [f"secret/{secret}"], "what the user made stays, and nothing else"


def test_an_upgrade_that_contradicts_itself_changes_nothing(
    cluster: Access, namespace: str, release: Helm, secret: str
) -> None:
    release("install", "clsp", str(CHART), values=_values(secret))
    before = _objects(cluster, namespace)
    said = release("upgrade", "clsp", str(CHART), values=_values(secret, placement={"train": "h200"}), fails=True)
    assert "choose one of a100, cpu" in said
    assert _objects(cluster, namespace) == before


def test_a_missing_secret_is_said_at_install(release: Helm, namespace: str) -> None:
    said = release("install", "clsp", str(CHART), values=_values("clsp-store"), fails=True)
    assert f'there is no Secret "clsp-store" in namespace "{namespace}"' in said
    assert "kubectl -n" in said


def test_serving_without_kserve_and_a_canary_on_an_old_one_are_refused(cluster: Access, bare: Kubectl) -> None:
    place = ("--kubeconfig", str(bare.kubeconfig), "-n", "default", "--dry-run=server")
    serving: dict[str, Any] = {"model": {"uri": "s3://speech/models/clsp/v2"}}
    values = {"serving": serving, "tests": {"enabled": False}}
    without = helm("install", "clsp", str(CHART), *place, values=values)
    assert "this cluster has no InferenceService: install KServe >= 0.17 (Standard mode)" in without.stderr
    serving["canary"] = {"enabled": True, "uri": "s3://speech/models/clsp/v3"}
    with old_kserve(cluster, bare):
        canary = helm("install", "clsp", str(CHART), *place, values=values)
    assert "this cluster's is older, which would ignore it silently: upgrade KServe" in canary.stderr


def test_two_releases_do_not_see_each_other(cluster: Access, release: Helm, namespace: str, secret: str) -> None:
    other = f"{namespace}-b"
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "clsp-test": "true"}
    cluster.kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other, "labels": labels}}])
    place = ("--kubeconfig", str(cluster.kubeconfig), "-n", other)
    values = _values(secret, rbac={"clusterRead": True})
    try:
        cluster.kubectl.within(other).apply([_secret(secret)])
        release("install", "clsp", str(CHART), values=values)
        assert helm("install", "clsp", str(CHART), *place, values=values).returncode == 0
        for own, foreign in ((namespace, other), (other, namespace)):
            account = f"system:serviceaccount:{own}:clsp-steps"
            assert [_may_make_jobs(cluster, place, account) for place in (own, foreign)] == [True, False]
        assert [_flow(cluster, one)["cluster"]["namespace"] for one in (namespace, other)] == [namespace, other]
        release("uninstall", "clsp", "--wait")
        assert "ConfigMap/clsp-platform" in _objects(cluster, other), "the other release stays whole"
        roles = cluster.kubectl("get", "clusterroles", "-o", "name")
        assert f"{other}-clsp-doctor" in roles
        assert f"{namespace}-clsp-doctor" not in roles.replace(f"{other}-clsp-doctor", "")
    finally:
        helm("uninstall", "clsp", *place)
        cluster.kubectl("delete", "namespace", other, "--wait=false")


def _may_make_jobs(cluster: Access, namespace: str, account: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": account,
            "resourceAttributes": {"namespace": namespace, "verb": "create", "group": "batch", "resource": "jobs"},
        },
    }
    answer = json.loads(cluster.kubectl("create", "-f", "-", "-o", "json", stdin=json.dumps(review)))
    return bool(answer["status"]["allowed"])


@pytest.fixture
def priority_classes(cluster: Access) -> Iterator[None]:
    """Those that ci/ha-values.yaml expects of the platform team."""
    kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": 1}
    there = {item["metadata"]["name"] for item in cluster.kubectl.get("priorityclasses")["items"]}
    names = sorted({"clsp-serving", "clsp-batch"} - there)
    if names:
        cluster.kubectl.apply([{**kind, "metadata": {"name": name}} for name in names])
    yield
    if names:
        cluster.kubectl("delete", "priorityclass", *names, "--ignore-not-found", "--wait=false")


@pytest.mark.usefixtures("priority_classes")
@pytest.mark.parametrize("shape", SHAPES)
def test_the_api_server_takes_every_object(cluster: Access, namespace: str, shape: str) -> None:
    known = cluster.kubectl("api-resources", "-o", "name")
    objects = [item for item in render_shape(shape, namespace=namespace) if _is_served(item, known)]
    kubectl = cluster.kubectl.within(namespace)
    kubectl.apply([item for item in objects if item["kind"] == "ServiceAccount"])  # pods are admitted with theirs only
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-", stdin=text)
    assert {"ConfigMap", "Role"} <= {item["kind"] for item in objects}


def _is_served(item: Object, known: str) -> bool:
    """Whether the cluster has the kind: the operators of ci/ are more than the test cluster runs."""
    group = item["apiVersion"].rpartition("/")[0]
    resource = f"{item['kind'].lower()}s.{group}".rstrip(".").replace("policys", "policies")
    return resource in known.split()


def test_kserve_makes_the_endpoints_and_a_canary_of_them(
    cluster: Access, namespace: str, release: Helm, secret: str
) -> None:
    """Objects only, no image: KServe's webhooks take them, and what it makes of them is one restricted container."""
    serving = {"model": {"uri": "clsp/v2"}, "kserve": {"version": "0.20.0"}}
    release("install", "clsp", str(CHART), values=_values(secret, serving=serving))
    kubectl = cluster.kubectl.within(namespace)
    kubectl("wait", "--for=create", "deployment/clsp-speech-predictor", "deployment/clsp-text-predictor")
    pod = kubectl.get("deployment", "clsp-speech-predictor")["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["containers"]] == ["kserve-container"]
    assert pod["containers"][0]["args"][0].endswith("/models/clsp/v2")
    assert pod["serviceAccountName"] == "clsp-serving"
    canary = serving | {"canary": {"enabled": True, "uri": "clsp/v3"}}
    release("upgrade", "clsp", str(CHART), values=_values(secret, serving=canary))
    kubectl("wait", "--for=create", "deployment/clsp-speech-canary-predictor")
    release("uninstall", "clsp", "--wait")
    kubectl("wait", "--for=delete", "deployment/clsp-speech-predictor", "--timeout=60s")

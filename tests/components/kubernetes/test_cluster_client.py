"""The client against an API server that fails on demand: what passes is repeated, what does not is explained."""

import threading
from types import SimpleNamespace

import pytest

from clsp.errors import ClusterError
from components.kubernetes.client import connect
from components.kubernetes.objects import (
    CONFIG_MAP,
    JOB,
    POD,
    Kind,
    Ref,
    condition,
    labels_of,
    new_object,
    owned,
    work_name,
)
from components.kubernetes.requests import explain
from components.kubernetes.states import Ending
from tests.components.kubernetes.fake_api import fake_cluster

PODS = "/api/v1/namespaces/team-a/pods"
LABELS = labels_of("train", "t1")


def pod(name, phase="Running"):
    return {**new_object(POD, name, LABELS), "status": {"phase": phase}}


@pytest.fixture
def fake():
    with fake_cluster() as pair:
        yield pair


def test_an_object_is_applied_read_listed_and_deleted(fake):
    api, cluster = fake
    applied = cluster.apply(pod("a"))
    assert applied["metadata"]["uid"]
    assert cluster.get(Ref(POD, "a")) == applied
    assert [item["metadata"]["name"] for item in cluster.find(POD)] == ["a"]
    cluster.delete(Ref(POD, "a"), wait_seconds=5)
    cluster.delete(Ref(POD, "a"))
    assert cluster.get(Ref(POD, "a")) is None
    assert next(query for verb, _, query in api.requests if verb == "PATCH") == {
        "fieldManager": "clsp",
        "force": "true",
    }


@pytest.mark.parametrize("fault", [(503, ()), (429, {"Retry-After": "0"}), (500, ()), "drop"])
def test_passing_trouble_is_passed(fake, fault):
    api, cluster = fake
    api.faults.extend([fault] * 3)
    assert cluster.apply(pod("a"))["metadata"]["name"] == "a"


@pytest.mark.parametrize(
    ("fault", "told", "hint"),
    [
        ((403, ()), "not allowed: injected", "service account"),
        ((422, ()), "refuses the object: injected", "cluster section"),
        ((503, ()), r"failed \(503\): injected", "readyz"),
        ("drop", "no connection", "readyz"),
    ],
)
def test_trouble_that_stays_is_explained(fake, fault, told, hint):
    api, cluster = fake
    cluster.apply(pod("a"))
    api.faults.extend([fault] * 4)
    with pytest.raises(ClusterError, match=told) as caught:
        cluster.apply(pod("b"))
    assert hint in caught.value.hint


def test_a_webhook_that_denies_an_object_does_not_mean_missing_rights():
    denied = explain("PATCH x", 403, b'{"message": "admission webhook \\"v.kserve.io\\" denied the request: no name"}')
    assert denied.args[0].startswith("the cluster refuses the object: admission webhook")


def test_an_unknown_kind_names_what_is_missing(fake):
    with pytest.raises(ClusterError, match=r"does not know TrainJob \(trainer.kubeflow.org"):
        fake[1].get(Ref(Kind("trainer.kubeflow.org/v1alpha1", "TrainJob"), "t1"))


@pytest.mark.parametrize("fault", [None, "cut", "expired", (503, ()), "drop"])
def test_a_change_is_seen_whatever_happens_to_the_watch(fake, fault):
    api, cluster = fake
    cluster.apply(pod("a", "Pending"))
    seen = threading.Event()

    def change():
        seen.wait(5)
        cluster.apply(pod("a", "Failed"))

    thread = threading.Thread(target=change)
    thread.start()
    phases = []
    for items in cluster.observe(POD, "", seconds=20, tick=1):
        phases.append(items[0]["status"]["phase"])
        if phases[-1] == "Failed":
            break
        if not seen.is_set():
            api.faults.extend([fault] if fault else [])
            seen.set()
    thread.join()
    assert phases[0] == "Pending"
    assert phases[-1] == "Failed"


def test_observing_ends_at_its_deadline_and_ticks_until_then(fake, monkeypatch):
    api, cluster = fake
    watched = lambda: sum("watch" in query for _, _, query in api.requests)  # noqa: E731
    monkeypatch.setattr("components.kubernetes.client.time", SimpleNamespace(monotonic=lambda: 1.1 * watched()))
    assert len(list(cluster.observe(POD, "", seconds=2.2, tick=1))) == 3, "now, and after each of two watches of a tick"


def test_once_all_pods_have_ended_what_owns_them_is_looked_at_every_second(fake):
    api, cluster = fake
    cluster.apply(pod("a", "Running"))
    for number, _ in enumerate(cluster.observe(POD, "", 60, tick=50, soon=Ending())):
        if number == 0:
            cluster.apply(pod("a", "Succeeded"))  # no event follows it
        if number == 3:
            break
    waits = [query["timeoutSeconds"] for _, _, query in api.requests if "watch" in query]
    assert waits[0] in ("49", "50")
    assert set(waits[1:]) == {"1"}


def test_waiting_says_what_did_not_happen(fake):
    _, cluster = fake
    with pytest.raises(ClusterError, match="Job j did not end within 1 s") as caught:
        cluster.wait_for(Ref(JOB, "j"), lambda item: item, 1, "end")
    assert "kubectl -n team-a describe job j" in caught.value.hint


def test_without_a_cluster_the_error_says_what_to_set(monkeypatch, tmp_path):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "none"))
    with pytest.raises(ClusterError, match="no cluster to talk to") as caught:
        connect()
    assert "KUBECONFIG" in caught.value.hint


def test_an_owned_object_names_its_owner(fake):
    owner = fake[1].apply(pod("a"))
    reference = owned(pod("b"), owner)["metadata"]["ownerReferences"][0]
    assert reference == {"apiVersion": "v1", "kind": "Pod", "name": "a", "uid": owner["metadata"]["uid"]}


def test_what_a_release_owns_goes_with_it_and_what_a_job_owns_goes_with_the_job(fake):
    _, cluster = fake
    release = cluster.apply(new_object(CONFIG_MAP, "clsp-platform", {}))
    ours = cluster.owned_by(Ref(CONFIG_MAP, "clsp-platform"))
    job = ours.apply(new_object(JOB, "train", LABELS))
    assert job["metadata"]["ownerReferences"] == owned(job, release)["metadata"]["ownerReferences"]
    beside = ours.apply(owned(pod("a"), job))
    assert [reference["name"] for reference in beside["metadata"]["ownerReferences"]] == ["train"]
    assert "ownerReferences" not in cluster.apply(pod("b"))["metadata"]


def test_a_release_that_is_not_there_owns_nothing(fake):
    with pytest.raises(ClusterError, match="there is no ConfigMap gone in namespace team-a") as caught:
        fake[1].owned_by(Ref(CONFIG_MAP, "gone"))
    assert "cluster.owner" in caught.value.hint


def test_the_same_work_has_the_same_name_and_other_work_another():
    name = work_name("train_stage1", "s3://a/b", "k1")
    assert name == work_name("train_stage1", "s3://a/b", "k1")
    assert len({name, work_name("train_stage1", "s3://a/c", "k1"), work_name("train_stage1", "s3://a/b", "k2")}) == 3
    assert len(name) < 50


def test_a_condition_holds_only_when_it_is_true():
    job = {"status": {"conditions": [{"type": "Failed", "status": "False"}, {"type": "Complete", "status": "True"}]}}
    assert condition(job, "Complete")
    assert condition(job, "Failed") is None
    assert condition({}, "Complete") is None


def test_the_kubeconfig_named_now_is_the_one_that_counts(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    for name in ("one", "two"):
        path = tmp_path / name
        path.write_text(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: u, user: {}}]\n"
            f"contexts: [{{name: c, context: {{cluster: c, user: u, namespace: {name}}}}}]\n"
        )
        monkeypatch.setenv("KUBECONFIG", str(path))
        assert connect().namespace == name

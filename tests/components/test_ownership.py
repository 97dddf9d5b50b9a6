"""What a release keeps of an endpoint that somebody else made, and what it gives back."""

import pytest

from components.kubernetes.objects import Ref, new_object
from components.serve.endpoints import INFERENCE_SERVICE, REVISION, VERSION
from components.serve.ownership import give_back
from tests.components.kubernetes.fake_api import fake_cluster

PATH = "/apis/serving.kserve.io/v1beta1/namespaces/team-a/inferenceservices/team-text"
MARKS = {VERSION: "2" * 64, REVISION: "r2"}
PREDICTOR = {
    "minReplicas": 1,
    "annotations": {**MARKS, "checksum/config": "c"},
    "model": {"args": ["u"], "runtime": "r"},
}


def of_managers(**fields):
    """An endpoint of which each manager set these fields of the model."""
    entries = [
        {"manager": name, "fieldsV1": {"f:spec": {"f:predictor": {"f:model": {f"f:{one}": {} for one in each}}}}}
        for name, each in fields.items()
    ]
    item = new_object(INFERENCE_SERVICE, "team-text", {}, spec={"predictor": PREDICTOR})
    return {**item, "metadata": {**item["metadata"], "annotations": {**MARKS, "a": "b"}, "managedFields": entries}}


def kept_of(item, monkeypatch):
    """What is applied to give the rest back; None when nothing is."""
    applied = []
    with fake_cluster() as (api, cluster):
        api.put(PATH, item)
        monkeypatch.setattr(cluster, "apply", applied.append)
        give_back(cluster, Ref(INFERENCE_SERVICE, "team-text"))
    return applied[0] if applied else None


def test_only_the_marks_stay_ours_where_helm_sets_the_arguments(monkeypatch):
    kept = kept_of(of_managers(clsp=["args", "runtime"], helm=["args", "runtime"]), monkeypatch)
    assert kept["spec"] == {"predictor": {"annotations": MARKS}}
    assert kept["metadata"] == {"name": "team-text", "annotations": MARKS}


def test_arguments_that_nobody_else_sets_any_more_stay(monkeypatch):
    kept = kept_of(of_managers(clsp=["args", "runtime"], helm=["runtime"]), monkeypatch)
    assert kept["spec"] == {"predictor": {"annotations": MARKS, "model": {"args": ["u"]}}}


@pytest.mark.parametrize("fields", [{"clsp": ["args", "runtime"]}, {"clsp": ["args"], "manager": []}])
def test_what_is_ours_alone_stays_whole(fields, monkeypatch):
    assert kept_of(of_managers(**fields), monkeypatch) is None

"""Values that contradict each other are refused with the sentence that mends them."""

import re
from typing import Any

import pytest

from tests.chart.rendering import CHART, refusal, render

STORE = {"bucket": "speech", "secretName": "clsp-store"}
KFP = {"endpoint": "http://ml-pipeline.kubeflow:8888"}
ENTRY = {"name": "nightly", "flow": "full", "cron": "0 0 2 * * *"}


def _serving(**changes: Any) -> dict[str, Any]:
    return {"store": STORE, "serving": {"model": {"uri": "clsp@latest"}, **changes}}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "store without credentials": ({"store": {"bucket": "speech"}}, "set store.secretName to a Secret"),
    "secret and identity": (
        {"store": {**STORE, "workloadIdentity": {"enabled": True, "annotations": {"role": "x"}}}},
        "keep one of them",
    ),
    "identity without a name": (
        {"store": {"bucket": "speech", "workloadIdentity": {"enabled": True}}},
        "set store.workloadIdentity.annotations",
    ),
    "no time after the drain": (
        _serving(terminationGracePeriodSeconds=60, drainSeconds=50),
        "serving.terminationGracePeriodSeconds (60) leaves no time to finish requests",
    ),
    "unknown pool": (
        {"placement": {"train": "h200"}},
        'placement.train names the pool "h200", which pools does not have: choose one of a100, cpu',
    ),
    "pool without GPUs": ({"pools": {"a100": {"gpusPerNode": 0}}}, "set pools.a100.gpusPerNode"),
    "queue without Kueue": ({"pools": {"a100": {"queue": "gpus"}}}, "set kueue.enabled"),
    "local queue from nothing": (
        {"kueue": {"enabled": True, "createLocalQueue": True, "queue": "clsp"}},
        "set kueue.clusterQueue",
    ),
    "local queue without a name": (
        {"kueue": {"enabled": True, "createLocalQueue": True, "clusterQueue": "gpus"}},
        "set kueue.queue",
    ),
    "schedules without KFP": ({"store": STORE, "schedules": {"enabled": True}}, "set kfp.endpoint"),
    "one user and several": (
        {"kfp": {**KFP, "tokenAudience": "pipelines.kubeflow.org", "singleUser": {"namespace": "kubeflow"}}},
        "keep one of them",
    ),
    "schedules without a store": ({"kfp": KFP, "schedules": {"enabled": True}}, "set store.bucket"),
    "schedules that are off": ({"schedules": {"entries": [ENTRY]}}, "set schedules.enabled"),
    "one name twice": (
        {"store": STORE, "kfp": KFP, "schedules": {"enabled": True, "entries": [ENTRY, ENTRY]}},
        'schedules.entries names "nightly" twice',
    ),
    "a model of no store": ({"serving": {"model": {"uri": "clsp@latest"}}}, "set store.bucket, or write the whole URI"),
    "no endpoint left": (_serving(speech={"enabled": False}, text={"enabled": False}), "both endpoints are off"),
    "min over max": (_serving(speech={"minReplicas": 5, "maxReplicas": 2}), "raise maxReplicas or lower minReplicas"),
    "no replica at all": (_serving(text={"minReplicas": 0}), "set minReplicas to 1, or serving.text.enabled to false"),
    "a budget nobody can meet": (
        _serving(podDisruptionBudget={"minAvailable": 1}),
        "keep it under minReplicas (1)",
    ),
    "two autoscalers": (
        _serving(autoscaling={"hpa": {"enabled": True}, "keda": {"enabled": True, "prometheusUrl": "http://p:9090"}}),
        "enable one of them",
    ),
    "KEDA without Prometheus": (
        _serving(autoscaling={"keda": {"enabled": True}}),
        "set serving.autoscaling.keda.prometheusUrl",
    ),
    "KServe too old": (_serving(kserve={"version": "0.15.0"}), "upgrade it to 0.17 or later"),
    "canary on an old KServe": (
        _serving(kserve={"version": "0.19.1"}, canary={"enabled": True, "uri": "clsp/v3"}),
        "upgrade KServe, or set serving.canary.enabled to false",
    ),
    "canary on an unknown KServe": (
        _serving(canary={"enabled": True, "uri": "clsp/v3"}),
        "set serving.kserve.version to the one you run",
    ),
    "canary of nothing": (_serving(kserve={"version": "0.20.0"}, canary={"enabled": True}), "set serving.canary.uri"),
    "canary over the stable replicas": (
        _serving(kserve={"version": "0.20.0"}, canary={"enabled": True, "uri": "clsp/v3", "replicas": 2}),
        "lower it or raise minReplicas",
    ),
    "canary without a stable version": (
        {"serving": {"canary": {"enabled": True, "uri": "clsp/v3"}}},
        "set serving.model.uri",
    ),
}
# These look at the cluster: tests/cluster installs the chart without the Secret, and without KServe.
_ON_A_CLUSTER = {"there is no Secret", "this cluster has no InferenceService", "this cluster's is older"}


@pytest.mark.parametrize("case", CASES)
def test_contradiction_is_refused_with_its_mend(case: str) -> None:
    values, sentence = CASES[case]
    assert sentence in refusal(values)


def test_every_fail_of_the_templates_has_a_case() -> None:
    text = "".join(path.read_text() for path in CHART.glob("templates/**/*.*"))
    fails = re.findall(r"fail \(?(?:printf )?\"([^\"]*)\"", text) + re.findall(r"fail \(?(?:printf )?`([^`]*)`", text)
    said = [refusal(values) for values, _ in CASES.values()]
    for sentence in fails:
        pattern = re.sub(r"%\\?[sdq]", ".*", re.escape(sentence))
        on_a_cluster = any(part in sentence for part in _ON_A_CLUSTER)
        assert on_a_cluster or any(re.search(pattern, one) for one in said), sentence
    assert len(fails) >= len(CASES) - 1


def test_mended_values_are_taken() -> None:
    render(_serving(kserve={"version": "0.20.0"}, canary={"enabled": True, "uri": "clsp/v3"}))
    render({"pools": {"h200": {"gpuResource": "nvidia.com/gpu", "gpusPerNode": 8, "queue": "", "nodeLabels": {},
                               "tolerations": [], "gpuHourPrice": 0}}, "placement": {"train": "h200"}})  # fmt: skip

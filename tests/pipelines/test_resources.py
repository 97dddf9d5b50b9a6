"""Every step of every flow is equipped: sized, patient, unprivileged, with its secrets and a folder to write to."""

import pytest
from google.protobuf import json_format
from kfp import dsl
from kubernetes.utils.quantity import parse_quantity

from clsp.config.cluster import PodSize
from components.evaluate.component import evaluate
from pipelines import resources
from pipelines.flows import FLOWS
from pipelines.resources import API_KEYS_SECRET, DEFAULTS, QUEUE_LABEL, SCRATCH, STEP_RESOURCES, equip
from pipelines.steps import STEPS
from tests.pipelines.test_compile import documents

EXECUTORS = [(flow, name) for flow in FLOWS for name in documents(flow)[0]["deploymentSpec"]["executors"]]


def test_the_table_has_every_step():
    assert tuple(STEP_RESOURCES) == STEPS


@pytest.mark.parametrize(("flow", "name"), EXECUTORS)
def test_requests_and_limits_are_set_and_ordered(flow, name):
    spec, _ = documents(flow)
    asked = spec["deploymentSpec"]["executors"][name]["container"]["resources"]
    for kind in ("Cpu", "Memory"):
        assert 0 < parse_quantity(asked[f"resource{kind}Request"]) <= parse_quantity(asked[f"resource{kind}Limit"])
    assert "accelerator" not in asked, "steps are CPU pods; GPU work is in what they start"


@pytest.mark.parametrize(("flow", "name"), EXECUTORS)
def test_pods_are_unprivileged_and_write_to_volumes_only(flow, name):
    pod = documents(flow)[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"][name]
    assert pod["securityContext"] == {"runAsUser": "65532", "runAsGroup": "65532", "runAsNonRoot": True}
    mounts = {mount["mountPath"]: mount for mount in pod["emptyDirMounts"]}
    assert set(mounts) == {"/dev/shm", SCRATCH}
    assert mounts["/dev/shm"]["medium"] == "Memory"
    assert int(pod["activeDeadlineSeconds"]) >= 3600


@pytest.mark.parametrize(("flow", "name"), EXECUTORS)
def test_credentials_come_from_secrets_alone(flow, name):
    spec, platform = documents(flow)
    pod = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"][name]
    secrets = {secret["secretName"]: secret for secret in pod["secretAsEnv"]}
    store = secrets.pop(DEFAULTS.store_secret)
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"} <= {
        entry["envVar"] for entry in store["keyToEnv"]
    }
    others = {"exec-annotate": DEFAULTS.captioner_secret, "exec-verify": DEFAULTS.captioner_secret}
    assert set(secrets) == {({**others, "exec-serve": API_KEYS_SECRET}).get(name)} - {None}
    assert "env" not in spec["deploymentSpec"]["executors"][name]["container"]


@pytest.mark.parametrize("flow", FLOWS)
def test_tasks_are_retried_and_never_answered_from_the_cache_of_kfp(flow):
    for task in documents(flow)[0]["root"]["dag"]["tasks"].values():
        assert task["retryPolicy"]["maxRetryCount"] > 0
        assert not task["cachingOptions"].get("enableCache")


def test_a_step_that_is_moved_to_the_a100_pool_is_placed_queued_and_given_gpus(monkeypatch):
    pool = DEFAULTS.pools["a100"].model_copy(update={"queue": "gpus"})
    monkeypatch.setattr(resources, "DEFAULTS", DEFAULTS.model_copy(update={"pools": {"a100": pool}}))
    moved = resources.StepResources(PodSize(gpus=2), pool="a100")
    monkeypatch.setitem(STEP_RESOURCES, "evaluate", moved)

    @dsl.pipeline(name="moved")
    def flow(examples: str):
        equip(evaluate(store="s", run_id="r", settings="{}", examples=examples, stage2="m"), "evaluate")

    platform = json_format.MessageToDict(flow.platform_spec)
    pod = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-evaluate"]
    expression = pod["nodeAffinity"][0]["matchExpressions"][0]
    assert expression["key"] == "nvidia.com/gpu.product"
    assert "NVIDIA-A100-SXM4-80GB" in list(expression["values"])
    assert pod["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert pod["podMetadata"]["labels"][QUEUE_LABEL] == "gpus"
    container = flow.pipeline_spec.deployment_spec["executors"]["exec-evaluate"]["container"]
    assert container["resources"]["accelerator"]["resourceType"] == "nvidia.com/gpu"

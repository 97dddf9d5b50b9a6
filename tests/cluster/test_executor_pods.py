"""The pods of a compiled flow, without a cluster: valid objects, in the order of the DAG, with every input resolved."""

import json

import pytest

from pipelines.compile import COMPILED
from pipelines.flows import FLOWS
from pipelines.steps import STEPS
from tests.cluster.executor_pods import CompiledFlow, executor_pod

FULL = CompiledFlow.read(COMPILED / "full.yaml")


@pytest.mark.parametrize("name", FLOWS)
def test_tasks_come_after_those_they_depend_on_and_find_every_input(name):
    flow = CompiledFlow.read(COMPILED / f"{name}.yaml")
    arguments = dict.fromkeys(flow.spec["root"]["inputDefinitions"]["parameters"], "given")
    outputs = {}
    for task in flow.tasks():
        inputs = flow.inputs(task, arguments, outputs)
        assert set(inputs) == set(flow.spec["components"][f"comp-{task}"]["inputDefinitions"]["parameters"])
        outputs[task] = f"made by {task}"
    assert set(outputs) == set(flow.spec["root"]["dag"]["tasks"])


def test_the_full_flow_has_the_order_of_the_hand_overs():
    assert [task.replace("-", "_") for task in FULL.tasks()] == list(STEPS)


def test_a_pod_says_what_the_executor_asks_for():
    pod = executor_pod(FULL, "annotate", {"segments": "abc"}, "run-1")
    (main,) = pod["spec"]["containers"]
    given = json.loads(main["args"][main["args"].index("--executor_input") + 1])
    assert given["inputs"]["parameterValues"] == {"segments": "abc"}
    secrets = {item["valueFrom"]["secretKeyRef"]["name"] for item in main["env"] if "secretKeyRef" in item["valueFrom"]}
    assert secrets == {"clsp-store", "clsp-captioner"}
    assert {item["name"]: item["mountPath"] for item in main["volumeMounts"]} == {"shm": "/dev/shm", "scratch": "/tmp"}
    assert main["resources"]["requests"]["memory"] == "512Mi"
    assert pod["metadata"]["labels"]["pipeline/runid"] == "run-1"

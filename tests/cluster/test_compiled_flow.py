"""The committed data flow, byte for byte, as a recurring run of it is: nothing names the run but the label of its pods.

The whole flow, packaged for a release and submitted, is that of test_journey.py; only its data steps run here again.
"""

import pytest

from clsp.config import load_config
from clsp.storage import open_store
from components.kubernetes.objects import POD, Ref
from components.runner import read_reports
from pipelines.compile import COMPILED
from pipelines.runs import run_arguments
from tests.cluster.executor_pods import CompiledFlow, executor_pod, output_of
from tests.cluster.harness.looking import looking
from tests.cluster.own_pods import store_of
from tests.flow.small_flow import SMALL

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1200)]

FLOW = CompiledFlow.read(COMPILED / "data.yaml")
RUN = "compiled"
STEP_SECONDS = 600


def run_step(kubectl, task: str, inputs: dict[str, str]) -> str:
    """Start a task as its pod, wait for its end, give its output."""
    kubectl.apply([executor_pod(FLOW, task, inputs, RUN)])

    def ended(pod: dict | None) -> dict | None:
        return pod if pod and pod["status"]["phase"] in {"Succeeded", "Failed"} else None

    pod = looking(kubectl).wait_for(Ref(POD, task), ended, STEP_SECONDS, "end")
    assert pod["status"]["phase"] == "Succeeded", f"{pod['status']}\n{kubectl('logs', task, '--tail=60')}"
    kubectl("delete", "pod", task, "--wait=false")
    return output_of(pod)


def test_the_compiled_flow_in_pods_leaves_the_manifests_of_the_local_run(
    cluster, namespace, role_images, monkeypatch, corpus, local_manifests
):
    role_images("step")
    store = store_of(cluster, namespace, monkeypatch)
    raw = open_store(f"{store.uri}/raw")
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        raw.put_file(path.relative_to(corpus).as_posix(), path)
    places = {"source": raw.uri, "metadata": f"{raw.uri}/metadata.csv"}
    arguments = run_arguments("data", store.uri, "", load_config(str(SMALL)), places)
    outputs: dict[str, str] = {}
    for task in FLOW.tasks():
        outputs[task] = run_step(cluster.kubectl.within(namespace), task, FLOW.inputs(task, arguments, outputs))
    assert list(outputs) == ["ingest", "annotate", "verify", "validate", "features"]
    assert outputs.items() <= local_manifests.items()
    assert set(read_reports(store, RUN)) == set(outputs)

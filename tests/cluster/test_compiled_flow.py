"""Every executor of the compiled full flow as the pod it describes, from ingest to serve, over S3 in the cluster.

It ends with the manifests of the local run, also when a step's pod is deleted in the middle and started again.
"""

import pytest

from clsp.config import load_config
from clsp.storage import open_store
from components.runner import read_reports
from pipelines.arguments import settings_parameters
from pipelines.compile import COMPILED
from pipelines.steps import STEPS
from tests.cluster.executor_pods import CompiledFlow, executor_pod, output_of
from tests.cluster.harness.waiting import until
from tests.flow.small_flow import SMALL

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(2400)]

FLOW = CompiledFlow.read(COMPILED / "full.yaml")
RUN = "compiled"
INTERRUPTED = "train-stage1"
STEP_SECONDS = 600


@pytest.fixture(scope="module")
def images(role_images) -> None:
    """The images that the flow names are on the nodes, with the code of this checkout."""
    role_images("step", "trainer", "embedder")


@pytest.fixture
def store(cluster, namespace, monkeypatch, corpus):
    """A prefix of its own on the cluster's S3 with the recordings in it, and the Secret that the flow reads."""
    keys = {
        "AWS_ACCESS_KEY_ID": cluster.store.access_key,
        "AWS_SECRET_ACCESS_KEY": cluster.store.secret_key,
        "AWS_REGION": "us-east-1",
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "clsp-store"}}
    inside = {**keys, "AWS_ENDPOINT_URL": cluster.store.endpoint}
    cluster.kubectl.within(namespace).apply([{**secret, "stringData": inside}])
    for name, value in {**keys, "AWS_ENDPOINT_URL": cluster.store.host_endpoint}.items():
        monkeypatch.setenv(name, value)
    raw = open_store(f"s3://{cluster.store.bucket}/{namespace}/raw")
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        raw.put_file(path.relative_to(corpus).as_posix(), path)
    return open_store(f"s3://{cluster.store.bucket}/{namespace}/store")


class Runner:
    """Starts the tasks of the flow as pods, in order, and takes their outputs over."""

    def __init__(self, kubectl, store):
        config = load_config(str(SMALL))
        often = config.train.checkpoint.model_copy(update={"every": 2})  # operational: no manifest tells of it
        config = config.model_copy(update={"train": config.train.model_copy(update={"checkpoint": often})})
        raw = store.uri.replace("/store", "/raw")
        values = {"store": store.uri, "run_id": "", "source": raw, "metadata": f"{raw}/metadata.csv"}
        self.arguments = {**settings_parameters(config), **values}
        self.kubectl = kubectl
        self.outputs: dict[str, str] = {}

    def start(self, task: str) -> None:
        inputs = FLOW.inputs(task, self.arguments, self.outputs)
        self.kubectl.apply([executor_pod(FLOW, task, inputs, RUN)])

    def finish(self, task: str) -> None:
        until(f"{task} ends", lambda: self._status(task)["phase"] in {"Succeeded", "Failed"}, STEP_SECONDS, every=1)
        pod = self.kubectl.get("pod", task)
        assert pod["status"]["phase"] == "Succeeded", f"{pod['status']}\n{self.kubectl('logs', task, '--tail=60')}"
        self.outputs[task] = output_of(pod)
        self.kubectl("delete", "pod", task)

    def _status(self, task: str) -> dict:
        return self.kubectl.get("pod", task)["status"]

    def manifests(self) -> dict[str, str]:
        return {task.replace("-", "_"): self.outputs[task] for task in self.outputs}


@pytest.mark.usefixtures("images")
def test_the_compiled_flow_in_pods_leaves_the_manifests_of_the_local_run(cluster, namespace, store, local_manifests):
    kubectl = cluster.kubectl.within(namespace)
    runner = Runner(kubectl, store)
    for task in FLOW.tasks():
        runner.start(task)
        if task == INTERRUPTED:
            delete_in_the_middle(kubectl, store, task)
            runner.start(task)
        runner.finish(task)
    assert runner.manifests() == local_manifests
    reports = read_reports(store, RUN)  # the pod's label named the run, as it does for recurring runs
    assert set(reports) == set(STEPS)


def delete_in_the_middle(kubectl, store, task: str) -> None:
    """Delete a training pod once it has left a checkpoint."""
    until(f"{task} has left a checkpoint", lambda: any(store.list("checkpoints/")), STEP_SECONDS)
    kubectl("delete", "pod", task, "--grace-period=0", "--force", "--wait=true")
    assert "train_stage1" not in read_reports(store, RUN), "it was deleted too late to be in the middle"

"""The README's third journey, by the README's own commands: from an empty namespace to endpoints and back to nothing.

On the way pods of every kind are deleted, and the flow still ends with the manifests of one machine.
"""

import json
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import yaml

from clsp.storage import open_store
from components.kubernetes.client import Cluster
from components.kubernetes.objects import JOB, POD
from pipelines.steps import STEPS
from serving.client import EmbeddingClient
from serving.probe import tone
from tests.cluster.harness.kubectl import Kubectl, KubectlError
from tests.cluster.harness.looking import looking
from tests.cluster.harness.sources import CONTEXT
from tests.cluster.harness.waiting import until
from tests.cluster.journey import Reader, environment_of, make_checkout, readme_blocks
from tests.cluster.kfp_backend import Backend, kfp_over
from tests.cluster.remains import KEPT, what_is_left
from tests.cluster.role_images import RoleImages, import_built, only_builder
from tests.flow.small_flow import SMALL

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(
        CONTEXT in os.environ,
        reason="only a cluster on this machine has a store with one address for the reader and for pods",
    ),
]

SIZE = {"gpus": 0, "cpu": "50m", "cpu_limit": "2", "memory": "128Mi", "memory_limit": "4Gi", "shm": "256Mi"}
SMALL_PODS = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "3Gi"}}
QUICK_START = {"periodSeconds": 1, "failureThreshold": 600}
FOLLOWED = {"poll_seconds": 0.5}
CAPTIONING = {"engine": {**SIZE}, "size": SIZE, "workers": 2}
CLUSTER = {
    "annotate": CAPTIONING,
    "verify": CAPTIONING,
    "train": {"size": SIZE, "rendezvous": SIZE},
    "serve": {"size": SIZE, "answer_seconds": 120},
}
# Once such a pod runs, it is deleted: a client of verify, the step that waits for it, a training worker, a server.
VICTIMS = {
    "verify worker": "app.kubernetes.io/component=verify",
    "training worker": "app.kubernetes.io/component=train-worker",
    "server": "app.kubernetes.io/component=text",
}
STEPS_OF_KFP = "pipeline/runid"


@pytest.fixture
def space(cluster) -> Iterator[str]:
    """A name for a namespace that does not exist yet."""
    name = f"t-{secrets.token_hex(4)}"
    yield name
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
def reader(cluster, space, corpus, tmp_path, monkeypatch) -> Reader:
    """Somebody whose recordings are in a bucket and whose choices are exported."""
    make_checkout(tmp_path)
    bucket = f"s3://{cluster.store.bucket}/{space}"
    connected = environment_of(cluster, tmp_path)
    values = {
        "store": {"bucket": cluster.store.bucket, "prefix": f"{space}/store", "secretName": "clsp-store"},
        "placement": dict.fromkeys(("annotate", "verify", "train", "serve", "steps"), "cpu"),
        "flow": {"settings": {**yaml.safe_load(SMALL.read_text()), "cluster": CLUSTER, "kfp": FOLLOWED}},
        "serving": {"speech": {"resources": SMALL_PODS}, "text": {"resources": SMALL_PODS}, "startup": QUICK_START},
        "rbac": {"clusterRead": True},
    }
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, connected[name])
    raw = open_store(f"{bucket}/raw")
    for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
        raw.put_file(path.relative_to(corpus).as_posix(), path)
    choices = {
        "BASE": "debootstrap",
        "REGISTRY": "docker.io",
        "IMAGES": "--torch mounted --apart --archives",
        "NAMESPACE": space,
        "VALUES": "values.yaml",
        "STORE": f"{bucket}/store",
        "DATA": f"{bucket}/raw",
        "METADATA": f"{bucket}/raw/metadata.csv",
        "ROLES": "step trainer embedder",
    }
    return Reader(tmp_path, {**connected, **choices})


def test_from_an_empty_cluster_to_an_answer_and_back(cluster, space, reader, role_images: RoleImages, local_manifests):
    exports, commands = readme_blocks()
    kubectl = cluster.kubectl.within(space)
    with kfp_over(kubectl) as kfp:
        reader.exported["KFP"] = kfp.api.url
        assert set(exports) <= set(reader.exported), "the test knows everything that README has its reader export"
        journey = Journey(reader, commands)

        with only_builder():
            journey.through("make images")
            import_built(cluster, reader.folder / "build/images")
        role_images.take(*reader.exported["ROLES"].split())
        journey.through("kubectl create namespace")
        kubectl("label", "namespace", space, "pod-security.kubernetes.io/enforce=restricted", "clsp-test=true")
        journey.through("helm install")
        assert "ERROR" not in journey.through(".venv/bin/clsp doctor")

        with deleting(kubectl, kfp) as deleted:
            journey.through(".venv/bin/clsp run full")
        assert sorted(deleted) == sorted([*VICTIMS, "verify step"])
        assert {name.replace("-", "_"): output for name, output in kfp.outputs.items()} == local_manifests
        assert set(local_manifests) == set(STEPS)

        answer = json.loads(journey.through("echo "))
        assert len(answer["data"][0]["embedding"]) > 0
        with cluster.reach(space, "clsp-runs-speech-predictor", 80) as url, EmbeddingClient(url) as client:
            assert client.embed_audio([tone()]).shape == (1, len(answer["data"][0]["embedding"]))

        journey.through("helm upgrade")
        said = journey.through("helm test")
        assert "cosine of a tone" in said, said
        assert "storage" in said, said
        journey.through("helm rollback")
        assert kubectl("get", "inferenceservices", "-o", "name").split() == [
            "inferenceservice.serving.kserve.io/clsp-runs-speech", "inferenceservice.serving.kserve.io/clsp-runs-text",
        ]  # fmt: skip
        before = objects_of(reader)
        journey.through("helm uninstall")
        assert journey.left == []
    until("nothing of ours is left", lambda: what_is_left(kubectl) == KEPT, 120, every=1.0)
    assert objects_of(reader) == before


class Journey:
    """The README's commands, taken up to and with one that a test wants to look after."""

    def __init__(self, reader: Reader, commands: list[str]) -> None:
        self.reader, self.left = reader, list(commands)

    def through(self, start: str) -> str:
        """Run commands up to the first that starts so; what that one printed."""
        while self.left:
            command = self.left.pop(0)
            printed = self.reader.run(command)
            if command.startswith(start):
                return printed
        raise AssertionError(f"README has no further command that starts with {start!r}")


@contextmanager
def deleting(kubectl: Kubectl, kfp: Backend) -> Iterator[list[str]]:
    """Delete one running pod of each kind while the block runs; the names of those that were."""
    deleted: list[str] = []
    over = threading.Event()

    looks = looking(kubectl)

    def disturb() -> None:
        wanted = {**VICTIMS, "verify step": STEPS_OF_KFP}
        while wanted and not over.wait(0.3):
            for name, selector in list(wanted.items()):
                with suppress(KubectlError):
                    if pod := running(looks, selector, name):
                        kubectl("delete", "pod", pod, "--grace-period=0", "--force")
                        deleted.append(name)
                        del wanted[name]

    thread = threading.Thread(target=disturb, name="disturbance")
    thread.start()
    try:
        yield deleted
    finally:
        over.set()
        thread.join()


def running(looks: Cluster, selector: str, name: str) -> str:
    """Name of a pod of the kind that runs; the verify step only once its Job is there."""
    found = [pod["metadata"]["name"] for pod in looks.find(POD, selector, "status.phase=Running")]
    if name == "verify step":
        found = [pod for pod in found if pod == "verify" and looks.find(JOB, VICTIMS["verify worker"])]
    return found[0] if found else ""


def objects_of(reader: Reader) -> dict[str, bytes]:
    """The user's data: every object of the store with its bytes."""
    store = open_store(reader.exported["STORE"])
    return {key: store.get(key) for key in store.list("")}

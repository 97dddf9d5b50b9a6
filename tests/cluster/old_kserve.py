"""KServe of before 0.20, as far as an API server shows it: the InferenceService definition without ``spec.canary``."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.harness.access import Access
from tests.cluster.harness.images import Image, busybox
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.pods import container, deployment, pod_spec

IMAGE = "docker.io/kserve/kserve-controller:v0.16.0"
CONTROLLER = "kserve-controller-manager"
CRD = "inferenceservices.serving.kserve.io"


@contextmanager
def old_kserve(source: Access, bare: Kubectl) -> Iterator[None]:
    """The definition that ``source`` has, without the canary, in a cluster that has none; gone with the block."""
    found = source.kubectl.get("crd", CRD)
    spec = {**found["spec"], "conversion": {"strategy": "None"}}
    for version in spec["versions"]:
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].pop("canary", None)
    crd = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": {"name": CRD}, "spec": spec}
    bare.apply([crd])
    try:
        bare.wait("condition=Established", f"crd/{CRD}")
        yield
    finally:
        bare("delete", "crd", CRD)


def old_image() -> Image:
    """A shell by the name of a controller of before 0.17."""
    return busybox(IMAGE)


@contextmanager
def old_controller(bare: Kubectl) -> Iterator[None]:
    """A controller of before 0.17 runs, by its name, in a cluster that has none; gone with the block."""
    bare.apply([deployment(CONTROLLER, 1, pod_spec(container(IMAGE, "sleep", "3600")))])
    try:
        bare.wait("condition=Available", f"deployment/{CONTROLLER}")
        yield
    finally:
        bare("delete", "deployment", CONTROLLER)

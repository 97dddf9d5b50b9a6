"""What the platform assumes of a cluster, installed together and waited for; and what only some tests need, later."""

import tempfile
from pathlib import Path
from types import ModuleType

from tests.cluster.harness.access import Access
from tests.cluster.harness.certificates import Authority
from tests.cluster.harness.images import Image
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.loading import load_images
from tests.cluster.harness.operators import kserve, metrics_server, minio, training_operator

PARTS = (minio, training_operator, kserve, metrics_server)


def platform_images() -> list[Image]:
    """What the nodes hold before `install_platform`."""
    return [part.image() for part in PARTS]


def install_platform(kubectl: Kubectl, authority: Authority) -> None:
    """training-operator, KServe, metrics-server and MinIO, ready; the slowest to be ready begins."""
    metrics_server.apply(kubectl)
    minio.apply(kubectl)
    training_operator.apply(kubectl)
    kserve.apply(kubectl, authority)
    for part in PARTS:
        part.wait(kubectl)


def require_platform(kubectl: Kubectl) -> None:
    """Refuse a cluster without the operators that the platform assumes.

    Raises:
        LookupError: names what is missing.
    """
    kinds = ("pytorchjobs.kubeflow.org", "inferenceservices.serving.kserve.io")
    if missing := set(kinds) - set(kubectl("api-resources", "-o", "name").split()):
        raise LookupError(
            f"your cluster does not serve {', '.join(sorted(missing))}: install training-operator, KServe"
        )


def add_operator(cluster: Access, part: ModuleType) -> None:
    """Install an operator that only some tests need; again is as good as once.

    Raises:
        LookupError: the cluster is the user's and does not have it.
    """
    if cluster.nodes:
        with tempfile.TemporaryDirectory() as scratch:
            load_images(cluster.nodes, part.images(), Path(scratch))
        part.apply(cluster.kubectl)
        part.wait(cluster.kubectl)
    elif part.KIND not in cluster.kubectl("api-resources", "-o", "name").split():
        raise LookupError(f"your cluster does not serve {part.KIND}: install it for this test")

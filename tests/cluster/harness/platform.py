"""What the platform assumes of a cluster, installed together and waited for; and what only some tests need, later."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tests.cluster.harness.access import Access
from tests.cluster.harness.certificates import Authority
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.loading import load_images
from tests.cluster.harness.node import Node
from tests.cluster.harness.operators import kserve, metrics_server, minio, training_operator


def install_platform(kubectl: Kubectl, nodes: Sequence[Node], authority: Authority, scratch: Path) -> None:
    """training-operator, KServe, metrics-server and MinIO, ready."""
    parts = (minio, training_operator, kserve, metrics_server)
    load_images(nodes, [part.image() for part in parts], scratch)
    minio.apply(kubectl)
    training_operator.apply(kubectl)
    kserve.apply(kubectl, authority)
    metrics_server.apply(kubectl)
    for part in parts:
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

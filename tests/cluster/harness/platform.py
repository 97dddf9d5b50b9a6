"""Everything that the platform assumes of a cluster: installed together, then waited for."""

from collections.abc import Sequence
from pathlib import Path

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

"""What a test gets of a cluster, the same for one that was booted and for a context of the user's."""

import os
import secrets
import shlex
import socket
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness.images import BUSYBOX_IMAGE
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.loading import load_layers
from tests.cluster.harness.node import Node
from tests.cluster.harness.operators.minio import ObjectStore
from tests.cluster.harness.waiting import until

FORWARDING = "Forwarding from 127.0.0.1:"


@dataclass(frozen=True)
class Access:
    """A cluster with the platform's operators.

    Attributes:
        kubectl: calls it with an administrator's rights.
        nodes: of a booted cluster; empty for a context of the user's.
        store: the S3 endpoint in it.
        host: address of this machine as pods reach it; empty for a context of the user's.
        busybox: an image with a shell that every node has or can pull.
    """

    kubectl: Kubectl
    nodes: list[Node]
    store: ObjectStore
    host: str = ""
    busybox: str = BUSYBOX_IMAGE

    @property
    def kubeconfig(self) -> Path:
        return self.kubectl.kubeconfig

    def import_image(self, archive: Path) -> None:
        """Give the nodes the image of a docker archive, under the names in it.

        For a context of the user's CLSP_TEST_IMPORT says how: "kind load image-archive", "k3d image import" …

        Raises:
            RuntimeError: nothing says how.
        """
        if self.nodes:
            load_layers(self.nodes, archive)
            return
        command = os.environ.get("CLSP_TEST_IMPORT")
        if not command:
            raise RuntimeError('say how your cluster takes images: CLSP_TEST_IMPORT="kind load image-archive"')
        subprocess.run([*shlex.split(command), str(archive)], check=True)

    @contextmanager
    def fresh_namespace(self, level: str = "restricted") -> Iterator[str]:
        """A namespace that enforces a pod security level, for as long as the block runs."""
        name = f"t-{secrets.token_hex(4)}"
        labels = {"pod-security.kubernetes.io/enforce": level, "clsp-test": "true"}
        self.kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}])
        try:
            yield name
        finally:
            wait = "false" if self.nodes else "true"  # nothing is left of a run on a cluster of the user's
            self.kubectl("delete", "namespace", name, f"--wait={wait}")

    @contextmanager
    def reach(self, namespace: str, service: str, port: int) -> Iterator[str]:
        """A URL at which this machine reaches the Service: balanced over its pods only in a booted cluster."""
        inside = self.kubectl.within(namespace)
        if self.nodes:
            address = inside.get("service", service)["spec"]["clusterIP"]
            until(f"nodes lead to {service}", lambda: listens(address, port), 120)
            yield f"http://{address}:{port}"
            return
        with forwarded(inside, f"service/{service}", port) as url:
            yield url


def listens(host: str, port: int) -> bool:
    """Whether a connection is taken there: a node learns of a Service's ready pods a moment after their readiness."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


@contextmanager
def forwarded(kubectl: Kubectl, target: str, port: int) -> Iterator[str]:
    """`kubectl port-forward` for as long as the block runs."""
    command = kubectl.command("port-forward", target, f":{port}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith(FORWARDING):
                raise RuntimeError(f"kubectl port-forward {target}: {line.strip()}")
            # It tells of every connection, and would stand still once nobody reads it.
            threading.Thread(target=deque, args=(process.stdout, 0), daemon=True).start()
            yield f"http://127.0.0.1:{line.removeprefix(FORWARDING).split()[0]}"
        finally:
            process.terminate()

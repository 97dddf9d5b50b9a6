"""Where the tests' cluster comes from: booted for them, one that `make cluster-up` left, or a context of the user's."""

import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.harness.access import Access, forwarded
from tests.cluster.harness.cluster import Cluster, boot
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.node import Node
from tests.cluster.harness.operators import minio
from tests.cluster.harness.platform import install_platform, platform_images, require_platform
from tests.cluster.harness.record import Record, Started, records
from tests.cluster.harness.teardown import usable
from tests.cluster.tools.build import binary

CONTEXT = "CLSP_TEST_KUBECONTEXT"
CLUSTER = "CLSP_TEST_CLUSTER"


def new_name() -> str:
    return f"test-{secrets.token_hex(3)}"


@contextmanager
def booted(name: str | None = None) -> Iterator[tuple[Access, Cluster]]:
    """A cluster of its own with the platform's operators, gone afterwards."""
    cluster = boot(name or new_name(), prepared=True, images=platform_images())
    try:
        install_platform(cluster.kubectl, cluster.credentials.authority)
        store = minio.wait(cluster.kubectl)
        yield Access(cluster.kubectl, cluster.nodes, store, str(cluster.record.addresses.host)), cluster
    finally:
        cluster.down()


def kept(name: str) -> Access:
    """The one that `make cluster-up` left running under the name.

    Raises:
        LookupError: there is none.
    """
    for record in records():
        if record.name == name and usable(record):
            kubectl = Kubectl(binary("kubectl"), record.kubeconfig)
            return Access(kubectl, nodes_of(record), minio.wait(kubectl), str(record.addresses.host))
    raise LookupError(f"no cluster {name!r} is up: make cluster-up NAME={name}")


def nodes_of(record: Record) -> list[Node]:
    folders = sorted(record.folder.glob("node-*"))
    return [
        Node(number, Started.of(int((folder / "pid").read_text())), folder)
        for number, folder in enumerate(folders, start=1)
    ]


@contextmanager
def of_the_user(context: str) -> Iterator[Access]:
    """A context of the user's, whose operators its administrators installed; the object store is ours, and goes.

    Raises:
        LookupError: the cluster lacks what the platform assumes.
    """
    found = shutil.which("kubectl")
    program = Path(found) if found else binary("kubectl")
    with tempfile.TemporaryDirectory(prefix="clsp-context-") as folder:
        kubectl = Kubectl(program, alone(program, context, Path(folder) / "kubeconfig"))
        require_platform(kubectl)
        namespace = new_name()
        try:
            minio.apply(kubectl, namespace)
            inside = kubectl.within(namespace)
            inside.wait("condition=Available", "deployment/minio")
            with forwarded(inside, "service/minio", minio.PORT) as url:
                yield Access(kubectl, [], minio.store(kubectl, url, namespace))
        finally:
            kubectl("delete", "namespace", namespace, "--ignore-not-found")


def alone(program: Path, context: str, file: Path) -> Path:
    """A kubeconfig with nothing but one context: whoever reads it, in whatever process, can reach no other cluster."""
    view = [str(program), f"--context={context}", "config", "view", "--minify", "--flatten", "--raw"]
    done = subprocess.run(view, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LookupError(f"{CONTEXT}={context}: {done.stderr.strip()}")
    file.touch(mode=0o600)
    file.write_text(done.stdout)
    return file

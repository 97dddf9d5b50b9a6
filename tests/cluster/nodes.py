"""What administrators do to machines of a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.harness.kubectl import Kubectl

SECONDS = 240


def drain(kubectl: Kubectl, node: str) -> int:
    """Evict every pod of a node as `kubectl drain` does, budgets respected; how many went.

    Raises:
        KubectlError: a budget let one not go in time.
    """
    options = ("--ignore-daemonsets", "--delete-emptydir-data", f"--timeout={SECONDS}s")
    return kubectl("drain", node, *options, timeout=SECONDS + 30).count(" evicted")


@contextmanager
def uncordoned(kubectl: Kubectl, node: str) -> Iterator[None]:
    """The node takes pods again after the block."""
    try:
        yield
    finally:
        kubectl("uncordon", node)

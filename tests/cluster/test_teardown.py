"""Crashes leave nothing: whatever the end of the process that booted a cluster, the next command removes all of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.harness import cgroups
from tests.cluster.harness.cluster import boot
from tests.cluster.harness.node import Node
from tests.cluster.harness.record import Record, read
from tests.cluster.harness.sources import CONTEXT, new_name
from tests.cluster.harness.teardown import sweep
from tests.cluster.harness.waiting import until
from tests.cluster.pods import container, job, pod_spec

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(CONTEXT in os.environ, reason="a context of the user's is not ours to crash"),
]

BOOT_AND_STAY = """
import sys
from tests.cluster.harness.cluster import boot
cluster = boot(sys.argv[1], kept=sys.argv[2] == "kept")
print("up", flush=True)
sys.stdin.read()
"""


def remains(record: Record) -> list[str]:
    """Everything of a cluster that can be seen on this machine."""
    groups = [str(group) for root in cgroups.hierarchies() for group in root.glob(f"clsp-{record.name}-*")]
    processes = [str(one.pid) for one in record.processes if one.alive()]
    link = subprocess.run(["ip", "link", "show", record.addresses.link], capture_output=True, check=False)
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if record.name in line]
    files = [str(path) for path in record.file.parent.glob(f"{record.name}*")]
    return [*groups, *processes, *mounts, *files, *([record.addresses.link] if link.returncode == 0 else [])]


@pytest.mark.parametrize("kind", ["kept", "owned"])
def test_a_killed_harness_leaves_nothing_after_the_next_sweep(kind):
    name = new_name()
    with subprocess.Popen(
        [sys.executable, "-c", BOOT_AND_STAY, name, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == "up\n"
        record = read(Record(name, 0, "").file)
        assert remains(record)
        harness.send_signal(signal.SIGKILL)
    sweep()  # or that of another session which boots just now
    assert remains(record) == []


def test_a_cluster_killed_while_it_boots_leaves_nothing():
    name = new_name()
    file = Record(name, 0, "").file
    with subprocess.Popen([sys.executable, "-c", BOOT_AND_STAY, name, "kept"], stdin=subprocess.PIPE) as harness:
        until("its first process is written down", lambda: file.exists() and read(file).processes, 120, every=0.01)
        harness.send_signal(signal.SIGSTOP)
        record = read(file)
        assert remains(record)
        harness.send_signal(signal.SIGKILL)
    sweep()  # or that of another session which boots just now
    assert remains(record) == []


def test_a_second_cluster_lives_beside_the_first(cluster):
    other = boot(new_name())
    try:
        assert other.kubectl.kubeconfig != cluster.kubeconfig
        lookup = container(cluster.busybox, "nslookup", "kubernetes.default.svc.cluster.local")
        other.kubectl.apply([job("lookup", pod_spec(lookup), retries=3)])
        other.kubectl.wait("condition=Complete", "job/lookup")
        assert cluster.kubectl("get", "--raw", "/readyz") == "ok"
        uids = [one.get("namespace", "default")["metadata"]["uid"] for one in (cluster.kubectl, other.kubectl)]
        assert uids[0] != uids[1]
        record = other.record
    finally:
        other.down()
    assert remains(record) == []
    assert cluster.kubectl("get", "--raw", "/readyz") == "ok"


def test_a_daemon_that_dies_is_started_again(cluster):
    if not cluster.nodes:
        pytest.skip("the nodes are not ours")
    node = cluster.nodes[0]
    before = kubelets(node)
    subprocess.run(node.enter("kill", "-KILL", *before), check=True)
    until("another kubelet runs", lambda: kubelets(node) - before, 60)
    cluster.kubectl.wait("condition=Ready", "node/node-1")


def kubelets(node: Node) -> set[str]:
    """Their numbers, as the node counts them."""
    listed = subprocess.run(node.enter("pidof", "kubelet"), capture_output=True, text=True, check=False)
    return set(listed.stdout.split())

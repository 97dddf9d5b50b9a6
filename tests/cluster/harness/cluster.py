"""Boots a cluster from nothing to a ready node with name resolution, adds nodes to it, and ends it."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.cluster.harness import packages
from tests.cluster.harness.cgroups import make_group, remove_group
from tests.cluster.harness.containerd import containerd
from tests.cluster.harness.controlplane import Credentials, control_plane
from tests.cluster.harness.daemon import Daemon
from tests.cluster.harness.dns import coredns
from tests.cluster.harness.images import Image, base_images
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.kubelet import kube_proxy, kubelet
from tests.cluster.harness.loading import load_images
from tests.cluster.harness.node import (
    Node,
    connect_host,
    connect_node,
    go,
    init_of,
    launch,
    mounts,
    network,
    root_of_containerd,
)
from tests.cluster.harness.prepared import link_into
from tests.cluster.harness.record import Record, Started, all_records, claim
from tests.cluster.harness.teardown import DEATH_SECONDS, kill, sweep, tear_down
from tests.cluster.harness.waiting import until
from tests.cluster.tools.build import binary

BOOT_SECONDS = 180.0


@dataclass
class Cluster:
    """A cluster that runs on this machine."""

    record: Record
    credentials: Credentials
    kubectl: Kubectl
    lock: int
    tethered: bool
    nodes: list[Node] = field(default_factory=list)
    holders: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_node(self, *, prepared: bool = False) -> Node:
        """Start one more node; it comes without waiting (see `wait_ready`).

        ``prepared`` nodes begin with the large layers of the roles' images, which takes a second.
        """
        number = len(self.nodes) + 1
        addresses, folder = self.record.addresses, self.record.folder / f"node-{number}"
        folder.mkdir()
        cgroup = self.cgroup(number)
        self.record = self.record.changed(cgroups=(*self.record.cgroups, cgroup))
        make_group(cgroup)
        setup = [*mounts(folder), *network(addresses, number)]
        if prepared:
            link_into(root_of_containerd(folder))
        process = launch(folder, setup, self.daemons(number, folder, cgroup), tethered=self.tethered)
        self.note(Started.of(process.pid))
        init = init_of(folder, process)
        self.note(init)
        if number == 1:
            connect_host(addresses, init)
        else:
            connect_node(addresses, self.nodes[0].init, init, number)
        go(process)
        self.nodes.append(Node(number, init, folder))
        self.holders.append(process)
        return self.nodes[-1]

    def daemons(self, number: int, folder: Path, cgroup: str) -> list[Daemon]:
        first = control_plane(self.credentials, folder) if number == 1 else []
        return [
            *first,
            containerd(folder, self.record.addresses.node_pods(number)),
            kubelet(self.credentials, folder, number, f"/{cgroup}"),
            kube_proxy(self.credentials, number),
        ]

    def note(self, process: Started) -> None:
        """Write a process down, for whoever tears this cluster down."""
        self.record = self.record.changed(processes=(*self.record.processes, process))

    def wait_ready(self) -> None:
        """Until every node is Ready."""
        until("the API server answers", lambda: self.kubectl("get", "--raw", "/readyz") == "ok", BOOT_SECONDS)
        for node in self.nodes:
            name = f"node/node-{node.number}"
            until(f"{name} registers", partial(self.kubectl, "get", name), BOOT_SECONDS)
            self.kubectl.wait("condition=Ready", name, timeout=BOOT_SECONDS)

    def remove_node(self, node: Node) -> None:
        """Take an added node away again, as if its machine had died, and forget it."""
        holder, cgroup = self.holders.pop(node.number - 1), self.cgroup(node.number)
        gone = (Started.of(holder.pid), node.init)
        self.nodes.remove(node)
        self.kubectl("delete", f"node/node-{node.number}", "--ignore-not-found", "--wait=false")
        for process in gone:
            kill(process)
        holder.wait()
        remove_group(cgroup, DEATH_SECONDS)
        shutil.rmtree(node.folder)
        self.record = self.record.changed(
            processes=tuple(one for one in self.record.processes if one not in gone),
            cgroups=tuple(one for one in self.record.cgroups if one != cgroup),
        )

    def cgroup(self, number: int) -> str:
        return f"clsp-{self.record.name}-{number}"

    def keep(self) -> None:
        """Let it outlive this process."""
        self.record = self.record.changed(kept=True)

    def down(self) -> None:
        """End it and remove all of it."""
        with all_records():
            tear_down(self.record)
        os.close(self.lock)


def boot(
    name: str, *, nodes: int = 1, kept: bool = False, prepared: bool = False, images: Iterable[Image] = ()
) -> Cluster:
    """A cluster with ready nodes and working name resolution; what crashed runs left is removed first.

    Args:
        name: of the cluster on this machine; a label of DNS.
        nodes: how many.
        kept: whether it outlives this process (after `keep`).
        prepared: whether it begins with the large layers of the roles' images (see `Cluster.add_node`).
        images: what its nodes hold beside the base images.

    Raises:
        FileExistsError: one of that name lives.
        RuntimeError: the machine cannot carry it.
        TimeoutError: a part did not come up; the logs are in the message.
    """
    packages.require()
    sweep()
    with all_records():
        record, lock = claim(name)
    credentials = Credentials.make(record.folder / "pki", record.addresses)
    credentials.kubeconfig("admin", "system:masters", path=record.kubeconfig)
    kubectl = Kubectl(binary("kubectl"), record.kubeconfig)
    cluster = Cluster(record, credentials, kubectl, lock, tethered=not kept)
    try:
        for _ in range(nodes):
            cluster.add_node(prepared=prepared)
        load_images(cluster.nodes, [*base_images(), *images], record.folder)  # while the control plane starts
        cluster.wait_ready()
        cluster.kubectl.apply(coredns(record.addresses))
        cluster.kubectl.within("kube-system").wait("condition=Available", "deployment/coredns")
    except BaseException as error:
        error.add_note(logs(cluster))
        cluster.down()
        raise
    return cluster


def logs(cluster: Cluster, lines: int = 15) -> str:
    """The last words of every daemon."""
    parts = []
    for file in sorted(cluster.record.folder.glob("node-*/logs/*.log")):
        tail = file.read_text(errors="replace").splitlines()[-lines:]
        parts.append("\n".join([f"--- {file.parent.parent.name} {file.name}", *tail]))
    return "\n".join(parts)

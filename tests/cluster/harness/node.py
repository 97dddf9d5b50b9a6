"""Starts the process tree of one node in fresh namespaces and connects it to its neighbours.

The node sees its own /run, /var/lib and /var/log; the machine's stay untouched, and nothing of the node's has to be
removed from them. The kernel settings that a kubelet insists on are shown to it, not made.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.harness import nodeinit
from tests.cluster.harness.addresses import Addresses
from tests.cluster.harness.daemon import Daemon
from tests.cluster.harness.record import Started

BRIDGE = "node0"
UPLINK = "host0"
KERNEL = {"vm/overcommit_memory": "1", "kernel/panic": "10", "kernel/panic_on_oops": "1"}
FORWARDING = {"ip_forward": 1, "conf/all/rp_filter": 0, "conf/default/rp_filter": 0, "conf/all/send_redirects": 0}
START_SECONDS = 60.0
NAMESPACES = ("--net", "--mount", "--pid", "--fork", "--kill-child=SIGKILL")


@dataclass(frozen=True)
class Node:
    """A running node: its PID 1, as the machine counts it, and the folder it lives in."""

    number: int
    init: Started
    folder: Path

    @property
    def containerd(self) -> Path:
        """Root of its containerd, as the machine sees it."""
        return root_of_containerd(self.folder)

    def enter(self, *argv: str) -> list[str]:
        """The command that runs argv inside the node."""
        return ["nsenter", f"--target={self.init.pid}", "--mount", "--net", "--pid", "--", *argv]


def root_of_containerd(folder: Path) -> Path:
    """Below the folder of a node: what it sees as /var/lib/containerd."""
    return folder / "lib" / "containerd"


def mounts(folder: Path) -> list[list[str]]:
    """Commands that give the node its own view of the machine's folders."""
    commands = [
        ["mount", "--make-rshared", "/"],
        ["mount", "-t", "proc", "proc", "/proc"],
        ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
    ]
    for name, target in (("lib", "/var/lib"), ("log", "/var/log")):
        (folder / name).mkdir()
        commands.append(["mount", "--bind", str(folder / name), target])
    for name, value in KERNEL.items():
        shown = folder / name.replace("/", ".")
        shown.write_text(value + "\n")
        commands.append(["mount", "--bind", str(shown), f"/proc/sys/{name}"])
    return commands


def network(addresses: Addresses, number: int) -> list[list[str]]:
    """Commands that give the node its addresses; the first node routes for all."""
    own = f"{addresses.node(number)}/{addresses.nodes.prefixlen}"
    commands = [["ip", "link", "set", "lo", "up"]]
    commands += [["sh", "-c", f"echo {value} > /proc/sys/net/ipv4/{name}"] for name, value in FORWARDING.items()]
    if number == 1:
        commands += [
            ["ip", "link", "add", BRIDGE, "type", "bridge"],
            ["ip", "address", "add", f"{addresses.gateway}/24", "dev", UPLINK],
            ["ip", "link", "set", UPLINK, "up"],
        ]
    commands += [["ip", "address", "add", own, "dev", BRIDGE], ["ip", "link", "set", BRIDGE, "up"]]
    if number == 1:
        return [*commands, ["ip", "route", "add", "default", "dev", BRIDGE]]
    return [*commands, ["ip", "route", "add", "default", "via", str(addresses.api)]]


def launch(
    folder: Path, setup: Sequence[list[str]], daemons: Sequence[Daemon], *, tethered: bool
) -> subprocess.Popen[bytes]:
    """Start PID 1 of a node; it waits for `go` before it does anything."""
    logs = folder / "logs"
    logs.mkdir()
    spec = {
        "pid_file": str(folder / "pid"),
        "setup": list(setup),
        "daemons": [daemon.spec(logs) for daemon in daemons],
        "tethered": tethered,
    }
    (folder / "spec.json").write_text(json.dumps(spec), encoding="utf-8")
    with (logs / "init.log").open("wb") as log:
        return subprocess.Popen(
            ["unshare", *NAMESPACES, sys.executable, "-S", "-E", nodeinit.__file__, str(folder / "spec.json")],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )


def init_of(folder: Path, process: subprocess.Popen[bytes]) -> Started:
    """The node's PID 1, once it is there.

    Raises:
        RuntimeError: it ended, or did not come.
    """
    deadline = time.monotonic() + START_SECONDS
    while not (folder / "pid").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the node did not start: {(folder / 'logs' / 'init.log').read_text()[-2000:]}")
        time.sleep(0.01)
    return Started.of(int((folder / "pid").read_text()))


def go(process: subprocess.Popen[bytes]) -> None:
    """Let a connected node begin."""
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def connect_host(addresses: Addresses, init: Started) -> None:
    """The link between the machine and the first node, and the route into the cluster."""
    run("ip", "link", "add", addresses.link, "type", "veth", "peer", "name", UPLINK, "netns", str(init.pid))
    run("ip", "address", "add", f"{addresses.host}/24", "dev", addresses.link)
    run("ip", "link", "set", addresses.link, "up")
    run("ip", "route", "add", str(addresses.block), "via", str(addresses.gateway), "dev", addresses.link)


def connect_node(addresses: Addresses, first: Started, other: Started, number: int) -> None:
    """The link between the first node's bridge and another node, and the first node's route to its pods."""
    port = f"node{number}"
    inside = ("nsenter", f"--target={first.pid}", "--net", "--", "ip")
    run(*inside, "link", "add", port, "type", "veth", "peer", "name", BRIDGE, "netns", f"/proc/{other.pid}/ns/net")
    run(*inside, "link", "set", port, "master", BRIDGE, "up")
    pods, via = str(addresses.node_pods(number)), str(addresses.node(number))
    run(*inside, "route", "replace", pods, "via", via)


def run(*argv: str) -> str:
    """Run a command of the machine; a failure carries its words."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout

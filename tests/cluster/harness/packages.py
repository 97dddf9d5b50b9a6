"""What the machine must have before a node can start; Debian has all of it."""

import os
import shutil
import subprocess
import sys

PROGRAMS = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "busybox": "busybox-static",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
}


def missing() -> list[str]:
    """Debian packages that are not installed."""
    return sorted({package for program, package in PROGRAMS.items() if not shutil.which(program)})


def require() -> None:
    """Refuse a machine that cannot carry a node.

    Raises:
        RuntimeError: with what to do about it.
    """
    if os.geteuid() != 0:
        raise RuntimeError("a node needs root for its namespaces; or set CLSP_TEST_KUBECONTEXT to a cluster of yours")
    if absent := missing():
        raise RuntimeError(f"missing programs: run `make cluster-packages` (apt-get install {' '.join(absent)})")


def install() -> None:
    """Install what is missing with apt.

    Raises:
        subprocess.CalledProcessError: apt could not.
    """
    if not (absent := missing()):
        return
    print(f"installing {' '.join(absent)}", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=environment)
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *absent]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    install()

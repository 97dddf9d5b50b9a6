"""containerd of a node: its own root and socket (the node's mounts see to that), images only by import, routed pods.

Pods get a routed point-to-point link, not a bridge: what leaves a pod always passes the node's netfilter, which
Services need even where the kernel does not filter bridges.
"""

import json
import shutil
from ipaddress import IPv4Network
from pathlib import Path

from tests.cluster.harness.daemon import Daemon
from tests.cluster.harness.torch_mount import runtime_spec, torch_folder

SOCKET = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "localhost/pause:1"
CNI_PROGRAMS = "/usr/lib/cni"

CONFIG = """\
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper"]

[grpc]
  address = "{socket}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  max_container_log_line_size = 65536
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      base_runtime_spec = "{spec}"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni}"
    conf_dir = "{network}"
"""


def network(pods: IPv4Network) -> dict[str, object]:
    """The CNI chain of a node: a routed link with an address of the node's pods, and host ports."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": str(pods)}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {"type": "ptp", "ipMasq": False, "ipam": addresses},
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }


def containerd(folder: Path, pods: IPv4Network) -> Daemon:
    """Write the configuration into the folder and say how to start it."""
    networks = folder / "cni"
    networks.mkdir()
    (networks / "10-pods.conflist").write_text(json.dumps(network(pods)), encoding="utf-8")
    spec = folder / "container.json"
    spec.write_text(runtime_spec(torch_folder()), encoding="utf-8")
    values = {"socket": SOCKET, "pause": PAUSE_IMAGE, "runc": shutil.which("runc"), "cni": CNI_PROGRAMS}
    config = folder / "containerd.toml"
    config.write_text(CONFIG.format(**values, network=networks, spec=spec), encoding="utf-8")
    return Daemon("containerd", (shutil.which("containerd") or "containerd", "--config", str(config)))

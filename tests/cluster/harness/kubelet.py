"""kubelet and kube-proxy of a node: as strict as the machine allows, and without changing the machine.

The machine may lack CAP_SYS_RESOURCE and have cgroup v1: no negative OOM scores are asked for, and kernel settings
that a kubelet wants are shown to it as bind mounts (see node.py) instead of being set. What it does once a minute it
does here every few seconds: operators sign their certificates into a Secret that they have mounted, and cannot start
before the kubelet has brought that up to date.
"""

from ipaddress import IPv4Address
from pathlib import Path

import yaml

from tests.cluster.harness.addresses import Addresses
from tests.cluster.harness.containerd import SOCKET
from tests.cluster.harness.controlplane import Credentials
from tests.cluster.harness.daemon import Daemon, flags
from tests.cluster.tools.build import binary

MAX_PODS = 60


def kubelet_config(credentials: Credentials, node: str, address: IPv4Address, cgroup: str) -> dict[str, object]:
    serving = credentials.authority.issue(f"kubelet-{node}", hosts=(node, address))
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": str(address),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(credentials.authority.pair.certificate)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(serving.certificate),
        "tlsPrivateKeyFile": str(serving.key),
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "clusterDNS": [str(credentials.addresses.dns)],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "cgroupRoot": cgroup,
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "enforceNodeAllocatable": [],
        "protectKernelDefaults": True,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "maxPods": MAX_PODS,
        "failSwapOn": False,
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "shutdownGracePeriod": "0s",
        "syncFrequency": "3s",
        "nodeStatusUpdateFrequency": "3s",
        "crashLoopBackOff": {"maxContainerRestartPeriod": "2s"},
    }


def kubelet(credentials: Credentials, folder: Path, number: int, cgroup: str) -> Daemon:
    """Write the configuration into the folder and say how to start it."""
    node, address = f"node-{number}", credentials.addresses.node(number)
    config = folder / "kubelet.yaml"
    config.write_text(yaml.safe_dump(kubelet_config(credentials, node, address, cgroup)), encoding="utf-8")
    options = flags(
        config=config,
        kubeconfig=credentials.kubeconfig(f"system:node:{node}", "system:nodes"),
        hostname_override=node,
        node_ip=address,
    )
    return Daemon("kubelet", (str(binary("kubelet")), *options))


def kube_proxy(credentials: Credentials, number: int) -> Daemon:
    """With iptables; the connection tracker's global limits stay as the machine has them."""
    addresses: Addresses = credentials.addresses
    options = flags(
        kubeconfig=credentials.kubeconfig("system:kube-proxy"),
        hostname_override=f"node-{number}",
        proxy_mode="iptables",
        cluster_cidr=addresses.pods,
        healthz_bind_address="127.0.0.1:10256",
        metrics_bind_address="127.0.0.1:10249",
        conntrack_max_per_core=0,
        conntrack_tcp_timeout_established=0,
        conntrack_tcp_timeout_close_wait=0,
        oom_score_adj=0,
    )
    return Daemon("kube-proxy", (str(binary("kube-proxy")), *options))

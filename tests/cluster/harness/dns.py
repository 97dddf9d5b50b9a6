"""CoreDNS as the cluster's name resolution, with upstream's own rights."""

from tests.cluster.harness.addresses import Addresses
from tests.cluster.harness.kubectl import Manifest

IMAGE = "docker.io/coredns/coredns:1.14.5"
PORT = 1053
COREFILE = f"""\
.:{PORT} {{
    errors
    health :8080
    ready :8181
    kubernetes cluster.local in-addr.arpa {{
        pods insecure
        ttl 5
    }}
    cache 5
    loop
    reload
    loadbalance
}}
"""
LABELS = {"k8s-app": "kube-dns"}
META = {"name": "coredns", "namespace": "kube-system", "labels": LABELS}


def coredns(addresses: Addresses) -> list[Manifest]:
    """Service account, rights, configuration, Deployment and the Service at the address the kubelets hand out."""
    subject = {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"}
    watched = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    ports = [{"name": f"dns-{p.lower()}", "port": 53, "targetPort": PORT, "protocol": p} for p in ("UDP", "TCP")]
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": META},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": watched,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": role,
            "subjects": [subject],
        },
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": META, "data": {"Corefile": COREFILE}},
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": META,
            "spec": {
                "selector": {"matchLabels": LABELS},
                "template": {"metadata": {"labels": LABELS}, "spec": pod()},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**META, "name": "kube-dns"},
            "spec": {"selector": LABELS, "clusterIP": str(addresses.dns), "ports": ports},
        },
    ]


def pod() -> dict[str, object]:
    container = {
        "name": "coredns",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [{"containerPort": PORT, "protocol": "UDP"}, {"containerPort": PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "livenessProbe": {"httpGet": {"path": "/health", "port": 8080}, "failureThreshold": 10},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True},
    }
    return {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
    }

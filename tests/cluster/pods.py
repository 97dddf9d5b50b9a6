"""Pods and containers for tests, small, and allowed where pod security is "restricted"."""

from typing import Any

USER = 65532
SECURE_CONTAINER: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
# Debian's static busybox cannot look names up except in nslookup, and its wget crashes: hence nslookup and nc.
RESOLVE = "address() { nslookup -type=a \"$1\" | awk '/^Address: / { found = $2 } END { print found; exit !found }'; }"
SECURE_POD: dict[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def container(image: str, *command: str, name: str = "main", **more: Any) -> dict[str, Any]:
    """A container that runs a command with little."""
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
        "securityContext": SECURE_CONTAINER,
        **more,
    }


def pod_spec(*containers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": SECURE_POD,
        "containers": list(containers),
        **more,
    }


def job(name: str, spec: dict[str, Any], *, retries: int = 0) -> dict[str, Any]:
    """A Job of one pod."""
    template = {"spec": {"restartPolicy": "Never", **spec}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": retries, "template": template},
    }


def deployment(name: str, replicas: int, spec: dict[str, Any]) -> dict[str, Any]:
    """A Deployment whose pods carry the label app=NAME."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def service(name: str, port: int, target: int) -> dict[str, Any]:
    """A Service over the pods of the Deployment of its name."""
    ports = [{"port": port, "targetPort": target}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": ports},
    }


def fetch(address: str, port: int = 80, path: str = "/") -> str:
    """Shell words that print the body at an address and succeed when the answer is 200."""
    ask = f"printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' | nc -w 3 {address} {port}"
    return f"{ask} | awk 'NR == 1 {{ ok = / 200 / }} body {{ print }} /^\\r?$/ {{ body = 1 }} END {{ exit !ok }}'"

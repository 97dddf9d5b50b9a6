"""Kubeconfig files: one for the user, one for each part of the control plane that calls the API server."""

import base64
from pathlib import Path

import yaml

from tests.cluster.harness.certificates import Pair


def inline(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def write_kubeconfig(path: Path, url: str, authority: Path, client: Pair, *, name: str = "clsp") -> Path:
    """Write a self-contained kubeconfig, readable by its owner alone."""
    user = {"client-certificate-data": inline(client.certificate), "client-key-data": inline(client.key)}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url, "certificate-authority-data": inline(authority)}}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path

"""Settings under which steps start pods on the tests' cluster: small ones, over this machine's own Python environment.

Until a test is given images, pods mount the environment that runs the tests, read-only, into an image with nothing but
a shell. So they run the code of this checkout, whatever its state, without building 5 GB.
"""

import base64
import json
import os
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clsp.storage import ObjectStore, open_store
from tests.cluster.harness.access import Access

ROOT = Path(__file__).parents[2]
PACKAGES = ("clsp", "components", "data_quality", "pipelines", "serving")
SECRET = "clsp-store"
SIZE = {"gpus": 0, "cpu": "50m", "cpu_limit": "2", "memory": "128Mi", "memory_limit": "4Gi", "shm": "256Mi"}
WORK = {"pool": "cpu", "size": SIZE, "pending_seconds": 600, "timeout_seconds": 1200}


def cluster_settings(cluster: Access, namespace: str, **sections: dict[str, Any]) -> dict[str, Any]:
    """The cluster section of a configuration; ``sections`` change annotate, verify, train or serve."""
    if not cluster.nodes:
        pytest.skip("pods mount this machine's environment, which only nodes on this machine can")
    roles = dict.fromkeys(("step", "trainer", "embedder", "engine"), cluster.busybox)
    # Both names of each folder: an environment knows itself by one, links in it go by the other.
    folders = {str(Path(folder)) for folder in (sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64")}
    folders |= {str(Path(folder).resolve()) for folder in (sys.prefix, sys.base_prefix)}
    mounts = [{"path": folder, "host_path": str(Path(folder).resolve())} for folder in sorted(folders)]
    # Where the environment expects our code: it may be installed from another checkout than this one.
    installed = urlsplit(json.loads(distribution("clsp-platform").read_text("direct_url.json") or "{}")["url"]).path
    code = [{"path": f"{installed}/{name}", "host_path": str(ROOT / name)} for name in PACKAGES]
    return {
        "enabled": True,
        "namespace": namespace,
        "store_secret": SECRET,
        "pools": {"cpu": {}, "a100": {}},
        "images": {**roles, "pull_policy": "IfNotPresent"},
        "environment": {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
        "mounts": [*mounts, *code],
        **{name: {**WORK, **section} for name, section in sections.items()},
    }


def store_of(cluster: Access, namespace: str, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """An S3 store that this process and the pods of the namespace can open, by the same URI; and the cluster, too."""
    store = cluster.store
    keys = {"AWS_ACCESS_KEY_ID": store.access_key, "AWS_SECRET_ACCESS_KEY": store.secret_key, "AWS_REGION": "us-east-1"}
    inside = {**keys, "AWS_ENDPOINT_URL": store.endpoint}
    data = {name: base64.b64encode(value.encode()).decode() for name, value in inside.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET}, "data": data}
    cluster.kubectl.within(namespace).apply([secret])
    for name, value in {**keys, "AWS_ENDPOINT_URL": store.host_endpoint}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("KUBECONFIG", os.fspath(cluster.kubeconfig))
    return open_store(f"s3://{store.bucket}/{namespace}")

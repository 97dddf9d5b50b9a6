"""The environment that runs the tests, for pods under pod security "restricted": read-only volumes of its folders.

Pods then run the code of this checkout without a built image. Such pods may not name a host path, but may claim a
volume that somebody with the right to has made of one.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.executor_pods import Environment
from tests.cluster.harness.access import Access

ROOT = Path(__file__).parents[2]
CODE = "/opt/clsp-code"


@contextmanager
def host_environment(cluster: Access, namespace: str) -> Iterator[Environment]:
    """Volumes, mounts and variables of this machine's Python and this checkout, for one namespace."""
    if not cluster.nodes:
        pytest.skip("pods mount this machine's environment, which only nodes on this machine can")
    # Both names of each folder: an environment knows itself by one, links in it go by the other.
    folders = {str(Path(folder)) for folder in (sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64")}
    folders |= {str(Path(folder).resolve()) for folder in (sys.prefix, sys.base_prefix)}
    places = {folder: str(Path(folder).resolve()) for folder in sorted(folders)} | {CODE: str(ROOT)}
    names = {inside: f"{namespace}-{number}" for number, inside in enumerate(places)}
    for inside, name in names.items():
        cluster.kubectl.within(namespace).apply(_volume(name, namespace, places[inside]))
    try:
        yield Environment(
            image=cluster.busybox,
            mounts=[{"name": name, "mountPath": inside, "readOnly": True} for inside, name in names.items()],
            volumes=[{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in names.values()],
            variables={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": CODE, "HOME": "/tmp"},
        )
    finally:
        cluster.kubectl("delete", "persistentvolume", *names.values(), "--wait=false", "--ignore-not-found")


def _volume(name: str, namespace: str, path: str) -> list[dict[str, Any]]:
    common = {"storageClassName": "", "accessModes": ["ReadOnlyMany"]}
    volume = {
        **common,
        "capacity": {"storage": "1Mi"},
        "hostPath": {"path": path},
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"namespace": namespace, "name": name},
    }
    claim = {**common, "resources": {"requests": {"storage": "1Mi"}}, "volumeName": name}
    return [
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": volume},
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": claim},
    ]

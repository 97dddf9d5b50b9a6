"""The platform's images for the test cluster: built from this checkout by ``make images``, then imported.

They stand on a debootstrap base and, where they need torch, on the machine's own (see ``harness/torch_mount.py``); a
cluster of the user's gets torch whole. The Python environments are kept between builds, so that only the thin layer
with our code is new; and an image is built once for the same code, whichever session of the tests asks first.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import orjson

from pipelines.images.roles import ROLES
from tests.checkout import code_hash
from tests.cluster.harness.access import Access
from tests.cluster.harness.node import Node
from tests.cluster.harness.record import Started
from tests.cluster.harness.torch_mount import CACHE
from tests.cluster.tools.build import locked

BUILD = ("-m", "pipelines.images", "build", "--base", "debootstrap", "--apart", "--archives")
IMAGES = {role.name: role.image for role in ROLES}


class RoleImages:
    """Gives the nodes of a cluster the images of roles, each once to each node."""

    def __init__(self, cluster: Access) -> None:
        self._cluster = cluster
        self._there: set[tuple[str, Started | None]] = set()

    def __call__(self, *roles: str) -> None:
        """The images of these roles are on every node."""
        for nodes, missing in self._lacking(roles):
            with only_builder():
                for archive in _archives("mounted" if nodes else "default", missing):
                    replace(self._cluster, nodes=nodes).import_image(archive)
        self.take(*roles)

    def take(self, *roles: str) -> None:
        """Every node has them already: this checkout's images came another way."""
        self._there |= {(role, place) for role in roles for place in self._places()}

    def _places(self) -> list[Started | None]:
        return [node.init for node in self._cluster.nodes] or [None]

    def _lacking(self, roles: tuple[str, ...]) -> Iterator[tuple[list[Node], list[str]]]:
        """Nodes that lack the same roles, and those; of a cluster of the user's no nodes are known."""
        nodes: dict[Started | None, list[Node]] = {node.init: [node] for node in self._cluster.nodes}
        for place in self._places():
            if missing := [role for role in roles if (role, place) not in self._there]:
                yield nodes.get(place, []), missing


@contextmanager
def only_builder() -> Iterator[None]:
    """No other session builds meanwhile: a build takes away the archives of earlier images of its roles."""
    with locked(CACHE / "tests.lock"):
        yield


def import_built(cluster: Access, out: Path) -> None:
    """Give the nodes the images that a build with ``--archives`` summed up in a folder."""
    for archive in _built(out).values():
        cluster.import_image(archive)


def _archives(torch: str, roles: list[str]) -> list[Path]:
    """An archive of each role's image of the code as it is; what is not there is built, what is outdated goes."""
    folder = CACHE / "tested"
    code = code_hash()
    files = {role: folder / f"{role}-{torch}-{code}.tar" for role in roles}
    if missing := [role for role, file in files.items() if not file.exists()]:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, *BUILD, "--torch", torch, "--out", str(folder), *missing], check=True)
        for role, archive in _built(folder).items():
            for old in folder.glob(f"{role}-{torch}-*.tar"):
                old.unlink()
            files[role].hardlink_to(archive)
    return list(files.values())


def _built(out: Path) -> dict[str, Path]:
    """Archive by role of what a build summed up in a folder."""
    images = orjson.loads((out / "summary.json").read_bytes())["images"]
    return {item["role"]: CACHE / "archives" / item["archive"].rpartition("/")[2] for item in images}

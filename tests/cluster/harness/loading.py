"""Gives the nodes of a booted cluster images: there is no registry."""

import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from tests.cluster.harness.images import Image, write_archive
from tests.cluster.harness.layers import held, opened
from tests.cluster.harness.node import Node, run
from tests.cluster.harness.prepared import keep
from tests.cluster.harness.waiting import until

IMPORT = ("ctr", "--namespace=k8s.io", "images", "import")
SECONDS = 300.0


def load_layers(nodes: Sequence[Node], archive: Path) -> None:
    """Give every node the image of a docker archive under its names, of its layers those that it lacks."""
    with opened(archive) as image:
        for node in nodes:
            image.send(held(node.containerd), node.enter(*IMPORT, "-"))
    keep(archive)


def load_archive(nodes: Sequence[Node], archive: Path) -> None:
    """Give every node the images of an OCI archive, under the names in it."""
    for node in nodes:
        command = node.enter(*IMPORT, str(archive.resolve()))
        until(f"node-{node.number} takes {archive.name}", partial(run, *command), SECONDS)


def load_images(nodes: Sequence[Node], images: Iterable[Image], folder: Path) -> None:
    """Write the images below the folder and give them to every node."""
    for image in images:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            load_archive(nodes, write_archive(image, Path(scratch) / "image.tar"))

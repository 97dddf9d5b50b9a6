"""The platform's images for the test cluster: built from this checkout by ``make images``, then imported.

They stand on a debootstrap base and, where they need torch, on the machine's own (see ``harness/torch_mount.py``); a
cluster of the user's gets torch whole. The Python environments are kept between builds, so that only the thin layer
with our code is new.
"""

import subprocess
import sys
from pathlib import Path

import orjson

from pipelines.images.roles import ROLES
from tests.cluster.harness.access import Access
from tests.cluster.harness.torch_mount import CACHE

BUILD = ("-m", "pipelines.images", "build", "--base", "debootstrap", "--apart", "--archives")
IMAGES = {role.name: role.image for role in ROLES}


def import_images(cluster: Access, *roles: str) -> None:
    """Build the images of these roles and give them to the nodes, under the names of components/images.py."""
    torch = "mounted" if cluster.nodes else "default"
    out = CACHE / "built" / "-".join((torch, *roles))
    subprocess.run([sys.executable, *BUILD, "--torch", torch, "--out", str(out), *roles], check=True)
    import_built(cluster, out)


def import_built(cluster: Access, out: Path) -> None:
    """Give the nodes the images that a build with ``--archives`` summed up in a folder."""
    for built in orjson.loads((out / "summary.json").read_bytes())["images"]:
        cluster.import_image(CACHE / "archives" / built["archive"].rpartition("/")[2])

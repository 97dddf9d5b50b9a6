"""What a node's containerd begins with: the large layers of the roles' images, unpacked once and linked into each node.

It lies beside the clusters, outlives them, and is only ever added to as a copy of links that then takes its place; what
is linked is never written to, but for containerd's two databases, which each copy has as its own.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from clsp.processes import die_with_parent
from tests.cluster.harness.layers import Packed, held, opened
from tests.cluster.harness.waiting import until
from tests.cluster.tools.build import cache_root, locked

DATABASES = ("io.containerd.metadata.v1.bolt/meta.db", "io.containerd.snapshotter.v1.overlayfs/metadata.db")
CONFIG = """\
version = 2
root = "{root}"
state = "{state}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "{state}/socket"
"""
START_SECONDS = 60.0


def place() -> Path:
    return cache_root() / "layers"


def link_into(folder: Path) -> None:
    """Let a containerd that has not started yet begin with what is prepared, if anything is."""
    with locked(place().with_suffix(".lock")):
        if place().is_dir():
            copy_links(place(), folder)


def keep(archive: Path) -> None:
    """Prepare the large layers of the image of a docker archive for later nodes; those of its name before go."""
    with opened(archive) as whole, locked(place().with_suffix(".lock")):
        name = f"localhost/layers/{whole.names[0].rpartition('/')[2].partition(':')[0].replace('-', '_')}:kept"
        image = whole.foundation(name)
        if not image.layers.keys() <= held(place()):
            add(image)


def add(image: Packed) -> None:
    """Replace what is prepared by a copy with this image in it."""
    partial_root, old = place().with_suffix(".partial"), place().with_suffix(".old")
    for left in (partial_root, old):
        shutil.rmtree(left, ignore_errors=True)
    if place().is_dir():
        copy_links(place(), partial_root)
    with containerd(partial_root) as ctr:
        subprocess.run([*ctr, "images", "remove", "--sync", image.names[0]], check=False, capture_output=True)
        image.send(held(partial_root), [*ctr, "images", "import", "-"])
    if place().is_dir():
        place().rename(old)
    partial_root.rename(place())
    shutil.rmtree(old, ignore_errors=True)


def copy_links(source: Path, target: Path) -> None:
    """The same files once more, the databases apart."""
    subprocess.run(["cp", "--archive", "--link", str(source), str(target)], check=True)
    for name in DATABASES:
        (target / name).unlink()
        shutil.copyfile(source / name, target / name)


@contextmanager
def containerd(root: Path) -> Iterator[list[str]]:
    """A containerd over a root, for images alone; how its ctr is called."""
    with tempfile.TemporaryDirectory(prefix="clsp-layers-") as state:
        (Path(state) / "config.toml").write_text(CONFIG.format(root=root, state=state))
        with (Path(state) / "log").open("wb") as log:
            process = subprocess.Popen(
                ["containerd", "--config", f"{state}/config.toml"], stdout=log, stderr=log,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509
            )  # fmt: skip
        ctr = ["ctr", f"--address={state}/socket", "--namespace=k8s.io"]
        try:
            answers = partial(subprocess.run, [*ctr, "version"], check=True, capture_output=True)
            until("containerd answers", lambda: answers() and True, START_SECONDS)
            yield ctr
        finally:
            process.terminate()
            process.wait(timeout=START_SECONDS)

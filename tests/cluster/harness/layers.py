"""The image of a docker archive, sent to a containerd without the layers that it has: roles share most of theirs.

containerd reads and hashes every layer of a docker archive, there or not; of an OCI layout it takes what is sent. A
layer's file is named by its digest there, and lies uncompressed in the archive, so that its diff id is that digest.
"""

import json
import posixpath
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from tests.cluster.harness.images import CONFIG_TYPE, LAYER_TYPE, Layout

BLOBS = Path("io.containerd.content.v1.content/blobs/sha256")
LARGE = 20_000_000


def held(root: Path) -> set[str]:
    """Digests of what a containerd has below its root."""
    return {file.name for file in (root / BLOBS).iterdir()} if (root / BLOBS).is_dir() else set()


@dataclass(frozen=True)
class Packed:
    """An image in an open docker archive: its names, its configuration, and the file of each layer by digest."""

    archive: tarfile.TarFile
    names: Sequence[str]
    config: bytes
    layers: dict[str, tarfile.TarInfo]

    def foundation(self, name: str) -> "Packed":
        """Its layers up to the last large one, as an image of that name."""
        digests = list(self.layers)
        while digests and self.layers[digests[-1]].size < LARGE:
            digests.pop()
        root = {"type": "layers", "diff_ids": [f"sha256:{one}" for one in digests]}
        config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": root}).encode()
        return replace(self, names=[name], config=config, layers={one: self.layers[one] for one in digests})

    def write(self, out: IO[bytes], there: set[str]) -> None:
        """An OCI layout in a tar, without the layers that are there."""
        with tarfile.open(fileobj=out, mode="w|") as sent:
            layout, layers = Layout(sent), []
            for digest, member in self.layers.items():
                layers.append({"mediaType": LAYER_TYPE, "digest": f"sha256:{digest}", "size": member.size})
                if digest not in there:
                    entry = tarfile.TarInfo(f"blobs/sha256/{digest}")
                    entry.size, entry.mode = member.size, 0o644
                    sent.addfile(entry, self.archive.extractfile(member))
            layout.finish(self.names, layout.blob(self.config, CONFIG_TYPE), layers)

    def send(self, there: set[str], command: Sequence[str]) -> None:
        """Pipe it into a command that imports images, without the layers that are there.

        Raises:
            RuntimeError: the command failed; its words are in it.
        """
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as end:
            assert end.stdin is not None
            assert end.stdout is not None
            try:
                self.write(end.stdin, there)
                end.stdin.close()
            except BrokenPipeError:
                pass
            said = end.stdout.read().decode(errors="replace")
        if end.returncode:
            raise RuntimeError(f"{' '.join(command)} < {self.archive.name!r}: {said.strip()}")


@contextmanager
def opened(path: Path) -> Iterator[Packed]:
    """The image of a docker archive, while in the block."""
    with tarfile.open(path) as archive:
        (image,) = json.loads(_read(archive, "manifest.json"))
        config = _read(archive, image["Config"])
        digests = [one.removeprefix("sha256:") for one in json.loads(config)["rootfs"]["diff_ids"]]
        layers = {one: _file(archive, name) for one, name in zip(digests, image["Layers"], strict=True)}
        yield Packed(archive, image["RepoTags"], config, layers)


def _file(archive: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    member = archive.getmember(name)
    if member.issym():
        member = archive.getmember(posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname)))
    return member


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()

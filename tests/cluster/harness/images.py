"""Container images without a registry and without an image builder: a static program in an otherwise empty image.

An OCI image is a tar of JSON and tars; writing it is less than driving a builder, and leaves no builder's state on the
machine. Images carry the very names that the upstream manifests ask for, so that those apply unchanged.
"""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.harness.containerd import PAUSE_IMAGE
from tests.cluster.tools.build import binary

USER = "65532"
BUSYBOX_IMAGE = "docker.io/library/busybox:1.36"
FOLDERS = ("etc", "bin", "usr", "usr/bin", "var", "home", "proc", "sys", "dev", "tmp")
PASSWD = f"root:x:0:0:root:/:/bin/sh\nnonroot:x:{USER}:{USER}:nonroot:/home:/bin/sh\n"
GROUP = f"root:x:0:\nnonroot:x:{USER}:\n"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


@dataclass(frozen=True)
class Image:
    """What an image holds.

    Attributes:
        names: the names it goes by, with registry and tag.
        programs: path inside → file on this machine, executable.
        entrypoint: the command.
        links: path inside → what it points to.
    """

    names: Sequence[str]
    programs: Mapping[str, Path]
    entrypoint: Sequence[str]
    links: Mapping[str, str] = field(default_factory=dict)


def write_layer(image: Image, path: Path) -> None:
    """One layer with a fixed time and fixed owners: the same programs give the same bytes."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as layer:
        for name in FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
            layer.addfile(folder)
        for name, text in (("etc/passwd", PASSWD), ("etc/group", GROUP)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            layer.addfile(entry, io.BytesIO(text.encode()))
        for name, source in image.programs.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as content:
                layer.addfile(entry, content)
        for name, target in image.links.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            layer.addfile(entry)


def digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


class Layout:
    """An OCI image layout inside a tar file under construction."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode = len(content), 0o644
        self._archive.addfile(entry, io.BytesIO(content))

    def blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Add the blob, return its descriptor."""
        name = hashlib.sha256(content).hexdigest()
        self.add(f"blobs/sha256/{name}", content)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(content)}

    def layer(self, path: Path) -> dict[str, Any]:
        name = digest(path)
        self._archive.add(path, f"blobs/sha256/{name}")
        return {"mediaType": LAYER_TYPE, "digest": f"sha256:{name}", "size": path.stat().st_size}

    def finish(self, names: Sequence[str], config: dict[str, Any], layers: list[dict[str, Any]]) -> None:
        """Add what says that the layers are an image, and its names."""
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": layers}
        entry = self.blob(json.dumps(manifest).encode(), MANIFEST_TYPE)
        named = [{**entry, "annotations": {"io.containerd.image.name": name}} for name in names]
        self.add("index.json", json.dumps({"schemaVersion": 2, "manifests": named}).encode())
        self.add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def write_archive(image: Image, path: Path) -> Path:
    """Write the image as an OCI archive."""
    layer_file = path.with_suffix(".layer")
    write_layer(image, layer_file)
    with tarfile.open(path, "w") as archive:
        layout = Layout(archive)
        layer = layout.layer(layer_file)
        settings = {"User": USER, "Entrypoint": list(image.entrypoint), "Env": ["PATH=/bin:/usr/bin"]}
        root = {"type": "layers", "diff_ids": [layer["digest"]]}
        config = {"architecture": "amd64", "os": "linux", "config": settings, "rootfs": root}
        layout.finish(image.names, layout.blob(json.dumps(config).encode(), CONFIG_TYPE), [layer])
    layer_file.unlink()
    return path


def busybox(*names: str) -> Image:
    """Debian's static busybox with a link for each of its commands.

    Raises:
        FileNotFoundError: it is not installed.
    """
    program = shutil.which("busybox")
    if program is None:
        raise FileNotFoundError("busybox is missing: make cluster-packages")
    listed = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    links = {f"/bin/{applet}": "busybox" for applet in listed if applet != "busybox"}
    return Image(names, {"/bin/busybox": Path(program)}, ["/bin/sh"], links)


def single(program: str, path: str, *names: str) -> Image:
    """An image with one of the built programs at a path."""
    return Image(names, {path: binary(program)}, [path])


def base_images() -> list[Image]:
    """What every cluster needs: the pause container, a shell, name resolution."""
    return [
        single("pause", "/pause", PAUSE_IMAGE),
        busybox(BUSYBOX_IMAGE, "docker.io/library/alpine:3.10"),
        single("coredns", "/coredns", "docker.io/coredns/coredns:1.14.5"),
    ]

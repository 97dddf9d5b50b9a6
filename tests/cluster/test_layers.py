"""A node is sent the layers that it lacks, and may begin with the large ones, prepared once and linked into it."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.cluster.harness import layers
from tests.cluster.harness.layers import held, opened
from tests.cluster.harness.prepared import containerd, keep, link_into, place

NAME = "docker.io/clsp-platform/python-step:0.1.0"
KEPT = "localhost/layers/python_step:kept"


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))


def layer(name: str, size: int) -> bytes:
    """A layer with one file of a size."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as files:
        add(files, name, b"x" * size)
    return packed.getvalue()


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def saved(path: Path, *contents: bytes) -> Path:
    """An image of these layers as `docker save` writes it, the last of them behind a link."""
    names = [f"{number}/layer.tar" for number, _ in enumerate(contents)]
    root = {"type": "layers", "diff_ids": [f"sha256:{digest(content)}" for content in contents]}
    config = {"architecture": "amd64", "os": "linux", "config": {"User": "65532"}, "rootfs": root}
    with tarfile.open(path, "w") as archive:
        for name, content in zip(names[:-1], contents[:-1], strict=True):
            add(archive, name, content)
        add(archive, "last.tar", contents[-1])
        link = tarfile.TarInfo(names[-1])
        link.type, link.linkname = tarfile.SYMTYPE, "../last.tar"
        archive.addfile(link)
        add(archive, "config.json", json.dumps(config).encode())
        add(
            archive,
            "manifest.json",
            json.dumps([{"Config": "config.json", "RepoTags": [NAME], "Layers": names}]).encode(),
        )
    return path


def sent(path: Path, there: set[str]) -> dict[str, bytes]:
    """What is written of an archive, by file."""
    out = io.BytesIO()
    with opened(path) as image:
        image.write(out, there)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as layout:
        return {name: layout.extractfile(name).read() for name in layout.getnames()}


def test_only_layers_that_are_missing_are_sent(tmp_path):
    large, small = layer("large", 5000), layer("small", 10)
    path = saved(tmp_path / "image.tar", large, small)
    whole, rest = sent(path, set()), sent(path, {digest(large)})
    assert whole[f"blobs/sha256/{digest(large)}"] == large
    assert whole[f"blobs/sha256/{digest(small)}"] == small
    assert whole.keys() - rest.keys() == {f"blobs/sha256/{digest(large)}"}
    assert {name: rest[name] for name in rest} == {name: whole[name] for name in rest}
    (named,) = json.loads(rest["index.json"])["manifests"]
    assert named["annotations"] == {"io.containerd.image.name": NAME}
    manifest = json.loads(rest[f"blobs/{named['digest'].replace(':', '/')}"])
    assert [one["digest"] for one in manifest["layers"]] == [f"sha256:{digest(one)}" for one in (large, small)]


def test_a_command_that_takes_no_image_is_told_in_its_words(tmp_path):
    path = saved(tmp_path / "image.tar", layer("large", 1_000_000))
    with opened(path) as image, pytest.raises(RuntimeError, match="no room"):
        image.send(set(), ["sh", "-c", "echo no room; exit 1"])


@pytest.mark.cluster
def test_a_node_begins_with_the_large_layers_of_the_newest_image(tmp_path, monkeypatch):
    monkeypatch.setenv("CLSP_CLUSTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(layers, "LARGE", 20_000)
    base, before, now, code = layer("base", 30_000), layer("before", 40_000), layer("now", 50_000), layer("code", 10)
    link_into(tmp_path / "first")
    assert not (tmp_path / "first").exists(), "nothing is prepared yet"
    keep(saved(tmp_path / "before.tar", base, before, code))
    link_into(tmp_path / "second")
    keep(saved(tmp_path / "now.tar", base, now, code))
    made = place().stat().st_ino
    keep(saved(tmp_path / "again.tar", base, now, layer("code", 11)))
    assert place().stat().st_ino == made, "another small layer is no reason to prepare anew"
    link_into(tmp_path / "third")
    blobs = {digest(one) for one in (base, before, now, code)}
    assert held(tmp_path / "second") & blobs == {digest(base), digest(before)}
    assert held(tmp_path / "third") & blobs == {digest(base), digest(now)}, "what no image has any more is gone"
    with containerd(tmp_path / "third") as ctr:
        with opened(tmp_path / "now.tar") as image:
            image.send(held(tmp_path / "third"), [*ctr, "images", "import", "-"])
        listed = subprocess.run([*ctr, "images", "ls", "-q"], check=True, capture_output=True, text=True).stdout
        assert listed.split() == [NAME, KEPT]

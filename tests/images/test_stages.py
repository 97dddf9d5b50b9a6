"""What is kept between builds: a change of code keeps every environment, a change of a lock only those without it."""

import shutil
from dataclasses import dataclass, field

import pytest

from pipelines.images import stages
from pipelines.images.build import Order, build_images
from pipelines.images.roles import ROLES
from pipelines.images.stages import Kitchen

NAMES = tuple(role.name for role in ROLES)


@dataclass
class Shelf:
    """A tool that only remembers what it was told to build."""

    name: str = "buildah"
    images: dict[str, str] = field(default_factory=dict)
    built: list = field(default_factory=list)

    def build(self, build):
        self.built.append(build)
        self.images[build.image] = f"id-of-{build.image}"
        return self.images[build.image]

    def find(self, image):
        return self.images.get(image)

    def size(self, image_id):
        return 1_000_000

    def run(self, image_id, command):
        return '{"components": [{}, {}]}'

    def save(self, image_id, image, archive):
        archive.parent.mkdir(parents=True, exist_ok=True)
        archive.write_text(image_id)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of what images are made of."""
    copied = tmp_path / "images"
    shutil.copytree(stages.FOLDER, copied)
    monkeypatch.setattr(stages, "FOLDER", copied)
    monkeypatch.setattr(stages, "DOCKERFILE", copied / "Dockerfile")
    return copied


def kept(tool: Shelf, torch: str = "default") -> dict[str, str]:
    kitchen = Kitchen(tool, "base@sha256:1", torch, {})
    installer, base = kitchen.installer(), kitchen.base_stage()
    locks = ["annotator", "step", "torch"]
    return {lock: kitchen.environment(lock, installer, base).key for lock in locks}


def test_an_environment_is_built_once(folder):
    tool = Shelf()
    first = kept(tool)
    built = len(tool.built)
    assert kept(tool) == first
    assert len(tool.built) == built == 5


def test_a_change_of_the_code_stage_keeps_every_environment(folder):
    before = kept(Shelf())
    text = (folder / "Dockerfile").read_text()
    (folder / "Dockerfile").write_text(text.replace("COPY serving /src/serving", "COPY serving /src/served"))
    assert kept(Shelf()) == before


def test_the_code_is_installed_once_until_it_changes(folder, tmp_path, monkeypatch):
    tool, checkout = Shelf(), tmp_path / "checkout"
    for name in stages.copied_by("code"):
        (checkout / name).mkdir(parents=True)
    monkeypatch.setattr(stages, "ROOT", checkout)

    def built() -> str:
        kitchen = Kitchen(tool, "base@sha256:1", "default", {})
        return kitchen.code(kitchen.installer()).key

    (checkout / "clsp" / "one.py").write_text("1")
    first = built()
    (checkout / "clsp" / "__pycache__").mkdir()
    (checkout / "clsp" / "__pycache__" / "one.pyc").touch()
    assert built() == first
    (checkout / "clsp" / "one.py").write_text("2")
    assert built() != first
    assert [build.target for build in tool.built] == ["installer", "code", "code"]


def test_a_changed_lock_changes_its_own_environment_only(folder):
    before = kept(Shelf())
    with (folder / "locks" / "step.lock").open("a") as lock:
        lock.write("new==1\n")
    after = kept(Shelf())
    assert after["step"] != before["step"]
    assert (after["annotator"], after["torch"]) == (before["annotator"], before["torch"])


def test_what_installs_is_part_of_every_key(folder):
    before = kept(Shelf())
    (folder / "install").write_text("#!/bin/sh\n")
    assert not set(kept(Shelf()).values()) & set(before.values())


def test_builds_of_torch_do_not_stand_in_for_each_other(folder):
    default, cpu = kept(Shelf()), kept(Shelf(), "cpu")
    assert default["torch"] != cpu["torch"]
    assert default["step"] == cpu["step"]


def order(tmp_path, **more):
    wanted = {"roles": NAMES, "base": "", "torch": "default", "registry": "registry.example", "archives": True}
    return Order(**wanted | {"out": tmp_path / "out", "cache": tmp_path} | more)


def test_roles_with_torch_stand_on_one_layer(tmp_path):
    tool = Shelf()
    list(build_images(tool, order(tmp_path)))
    foundations = {build.arguments.get("LOCK"): build.arguments.get("FOUNDATION", "") for build in tool.built}
    assert foundations["trainer"] == foundations["embedder"]
    assert "environment-torch:" in foundations["trainer"]
    assert "environment-common:" in foundations["torch"]
    assert "environment-common:" in foundations["step"]
    assert "/base:" in foundations["common"]
    assert all(sum(build.arguments.get("LOCK") == name for build in tool.built) == 1 for name in ("common", "torch"))
    assert sum(build.target == "code" for build in tool.built) == 1


def test_an_order_is_told_image_by_image_and_summed_up(tmp_path):
    tool = Shelf()
    built = list(build_images(tool, order(tmp_path, roles=("step",))))
    assert [(item.image.partition(":")[0], item.packages, item.size_bytes) for item in built] == [
        ("registry.example/clsp-platform/python-step", 2, 1_000_000)
    ]
    assert (tmp_path / "out" / "step.cdx.json").exists()
    assert '"tool": "buildah"' in (tmp_path / "out" / "summary.json").read_text()
    labels = tool.built[-1].labels
    assert labels["org.opencontainers.image.base.name"] == stages.default_base()


def test_the_archive_of_an_older_image_makes_room(tmp_path):
    stale = tmp_path / "archives" / "step-000000000000.tar"
    stale.parent.mkdir()
    stale.touch()
    list(build_images(Shelf(), order(tmp_path, roles=("step",))))
    assert not stale.exists()
    assert len(list(stale.parent.glob("step-*.tar"))) == 1

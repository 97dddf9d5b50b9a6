"""Build the images of the wanted roles, weigh them, and write what is inside each beside a summary."""

import fcntl
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import clsp
from pipelines.images.debian import debian_base
from pipelines.images.installer import installer_secrets
from pipelines.images.roles import COMMON, ROLES, TORCH, Role
from pipelines.images.stages import ROOT, Kept, Kitchen, default_base
from pipelines.images.tools import Tool

DEBOOTSTRAP = "debootstrap"
_SBOM = ("python3", "-m", "pipelines.images.sbom")


@dataclass(frozen=True)
class Order:
    """What to build: roles, base (empty: the Dockerfile's), build of torch, registry, where files and caches go.

    ``archives`` writes each image into the cache as one file, ``push`` sends it to the registry.
    """

    roles: tuple[str, ...]
    base: str
    torch: str
    registry: str
    out: Path
    cache: Path
    archives: bool
    push: bool = False


@dataclass(frozen=True)
class Built:
    """One image: its name and id, bytes of its files, packages inside, seconds it took, and the files written of it."""

    role: str
    image: str
    id: str
    size_bytes: int
    packages: int
    seconds: float
    environment_built: bool
    sbom: str
    archive: str


def build_images(tool: Tool, order: Order) -> Iterator[Built]:
    """Build in order of size; each image is reported when it is there, and ``summary.json`` when all are."""
    base = debian_base(tool, order.cache) if order.base == DEBOOTSTRAP else order.base or default_base()
    order.out.mkdir(parents=True, exist_ok=True)
    built = []
    with _alone(order.cache), installer_secrets() as secrets:
        kitchen = Kitchen(tool, base, order.torch, secrets)
        for role in ROLES:
            if role.name in order.roles:
                built.append(_build_role(kitchen, role, order))
                yield built[-1]
    summary = {"tool": tool.name, "base": base, "torch": order.torch, "images": [asdict(item) for item in built]}
    (order.out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """One build at a time shares a cache."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_role(kitchen: Kitchen, role: Role, order: Order) -> Built:
    started = time.monotonic()
    tool = kitchen.tool
    name = f"{order.registry}/{role.image}"
    installer = kitchen.installer()
    environment = _environment(kitchen, role, installer)
    image_id = kitchen.image(role.name, name, kitchen.code(installer), environment, _labels(kitchen.base))
    if order.push:
        tool.push(name)
    sbom = order.out / f"{role.name}.cdx.json"
    sbom.write_text(tool.run(image_id, _SBOM))
    return Built(
        role=role.name,
        image=name,
        id=image_id,
        size_bytes=tool.size(image_id),
        packages=len(json.loads(sbom.read_text())["components"]),
        environment_built=environment.built,
        sbom=str(sbom),
        archive=str(_archive(tool, role, name, image_id, order)) if order.archives else "",
        seconds=round(time.monotonic() - started, 1),
    )


def _environment(kitchen: Kitchen, role: Role, installer: Kept) -> Kept:
    foundation = kitchen.environment(COMMON, installer, kitchen.base_stage())
    if role.shares_torch:
        lock = TORCH if kitchen.torch == "default" else f"{TORCH}-{kitchen.torch}"
        foundation = kitchen.environment(lock, installer, foundation)
    return kitchen.environment(role.name, installer, foundation)


def _archive(tool: Tool, role: Role, name: str, image_id: str, order: Order) -> Path:
    """The image as one file, written again only when the image is another."""
    folder = order.cache / "archives"
    archive = folder / f"{role.name}-{image_id[:12]}.tar"
    if not archive.exists():
        for old in folder.glob(f"{role.name}-*.tar"):
            old.unlink()
        tool.save(image_id, name, archive)
    return archive


def _labels(base: str) -> dict[str, str]:
    prefix = "org.opencontainers.image"
    values = {"version": clsp.__version__, "revision": _revision(), "base.name": base, "licenses": "Apache-2.0"}
    return {f"{prefix}.{name}": value for name, value in values.items() if value}


def _revision() -> str:
    """The commit that is checked out, marked when files differ from it; empty outside a git checkout."""
    described = ["git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    return subprocess.run(described, capture_output=True, text=True, check=False).stdout.strip()

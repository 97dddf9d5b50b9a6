"""torch for the pods of the test cluster: mounted from this machine, not copied as five gigabytes of image layers.

Images of the trainer and the embedder built with ``--torch mounted`` look for it at /opt/torch. containerd adds the
mount to every container itself: pods under pod security "restricted", which forbids host paths, have it as well.
"""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

from pipelines.images.locks import FOLDER, read_pins
from tests.cluster.tools.build import locked

INSIDE = "/opt/torch"
CACHE = Path.home() / ".cache" / "clsp-platform" / "images"


def torch_folder(cache: Path = CACHE) -> Path:
    """The packages of torch.lock in a folder of their own: hard links to this environment's, named by the lock."""
    lock = (FOLDER / "torch.lock").read_text()
    folder = cache / f"torch-{hashlib.sha256(lock.encode()).hexdigest()[:16]}"
    with locked(folder.with_suffix(".lock")):
        if not folder.exists():
            _fill(folder, lock)
    return folder


def _fill(folder: Path, lock: str) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    for name in read_pins(lock):
        for source, inside in _files(name):
            (partial / inside).parent.mkdir(parents=True, exist_ok=True)
            _link(source, partial / inside)
    partial.replace(folder)


def runtime_spec(folder: Path) -> str:
    """containerd's own default of a container, with torch mounted read-only."""
    spec = json.loads(subprocess.run(["ctr", "oci", "spec"], check=True, capture_output=True).stdout)
    spec["mounts"].append({"destination": INSIDE, "type": "bind", "source": str(folder), "options": ["rbind", "ro"]})
    spec["process"].pop("rlimits", None)  # containerd's own limits hold, as they do without a base
    return json.dumps(spec)


def _files(name: str) -> Iterator[tuple[Path, Path]]:
    """File here and where it goes, of everything a distribution put into site-packages, bytecode included."""
    package = distribution(name)
    root = Path(str(package.locate_file("")))
    for file in package.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            yield root / file, Path(file)
            if file.suffix == ".py":
                yield from ((code, code.relative_to(root)) for code in _bytecode(root / file))


def _bytecode(source: Path) -> Iterator[Path]:
    return (source.parent / "__pycache__").glob(f"{source.stem}.cpython-311.pyc")


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # another file system
        shutil.copy2(source, target)

"""Builds a program once and keeps it, outside the checkout, under a key of everything that it is made of.

Two runs that want the same program at once build it once: the second waits for the first's lock. A build that is
killed leaves a temporary folder and never half a program.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.cluster.tools.programs import PROGRAMS, ModuleSet, set_named


def cache_root() -> Path:
    """Where what is built is kept: CLSP_CLUSTER_CACHE, by default ~/.cache/clsp-platform."""
    return Path(os.environ.get("CLSP_CLUSTER_CACHE") or Path.home() / ".cache" / "clsp-platform")


def go(module_set: ModuleSet, *arguments: str, folder: Path | None = None) -> str:
    """Run Go in a set's folder, or in a copy of it; its own words go to standard error, where they explain a failure.

    Raises:
        FileNotFoundError: Go is not installed.
        subprocess.CalledProcessError: it failed.
    """
    if not shutil.which("go"):
        raise FileNotFoundError("the test cluster is built from Go modules: install Go >= 1.24 and put it on PATH")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
    where = folder or module_set.folder
    run = subprocess.run(["go", *arguments], cwd=where, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return run.stdout.strip()


@cache
def key(module_set: ModuleSet) -> str:
    """Hash of the set's files, the stamps and the Go version: a change of any of them builds anew."""
    digest = hashlib.sha256(go(module_set, "env", "GOVERSION", "GOARCH").encode())
    for file in sorted(module_set.folder.iterdir()):
        digest.update(file.name.encode() + file.read_bytes())
    digest.update(repr((sorted(module_set.programs.items()), sorted(module_set.stamps.items()))).encode())
    digest.update(",".join(module_set.tags).encode())
    return digest.hexdigest()[:16]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock; the kernel drops it with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def build(module_set: ModuleSet) -> Path:
    """The folder with the set's programs, built when it is not there."""
    folder = cache_root() / "bin" / module_set.name / key(module_set)
    if folder.is_dir():
        return folder
    with locked(folder.with_suffix(".lock")):
        if not folder.is_dir():
            fill(folder, module_set)
    return folder


def fill(folder: Path, module_set: ModuleSet) -> None:
    flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in module_set.stamps.items())])
    tags = ("-tags", ",".join(module_set.tags)) if module_set.tags else ()
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as work:
        source = Path(shutil.copytree(module_set.folder, Path(work) / "source"))  # a checkout may change meanwhile
        target = Path(work) / "programs"
        target.mkdir()
        for program, package in module_set.programs.items():
            options = ("-trimpath", *tags, "-ldflags", flags, "-o", str(target / program))
            go(module_set, "build", *options, package, folder=source)
        target.rename(folder)


def binary(program: str) -> Path:
    """Path of one program, built when it is missing."""
    return build(PROGRAMS[program]) / program


def sources(name: str, module: str = "") -> Path:
    """The unpacked module of a set, or another that it needs: upstream's own manifests lie inside. Read-only."""
    module_set = set_named(name)
    module = module or module_set.module
    go(module_set, "mod", "download", module)
    return Path(go(module_set, "list", "-m", "-f", "{{.Dir}}", module))

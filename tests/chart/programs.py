"""Where the programs of the chart's tests come from: built once from Go modules into a cache outside the checkout."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

_SOURCES = {"helm": ("helm.sh/helm/v4/cmd/helm", "v4.3.1")}
_CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "clsp-platform/programs"


@cache
def program(name: str) -> str:
    """Path of a program at the version the tests are written for."""
    package, version = _SOURCES[name]
    folder = _CACHE / f"{name}-{version}"
    if not (folder / name).exists():
        building = folder.with_suffix(f".{os.getpid()}")
        environment = {**os.environ, "GOBIN": str(building), "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
        subprocess.run(["go", "install", f"{package}@{version}"], check=True, env=environment)
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            building.rename(folder)
        except OSError:  # another worker was faster
            shutil.rmtree(building)
    return str(folder / name)

"""A real vLLM for the tests, laid over this environment's packages from a folder of its own, outside the checkout.

``python -m tests.vllm.packages`` installs it where it is missing (1.1 GB, no second torch) and prints the folder.
It cannot go into the environment itself: its pins are not the platform's, and no user needs it.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from tests.cluster.tools.build import cache_root

LOCK = Path(__file__).with_name("requirements.lock")
# The index holds them for the CUDA build of torch alone; beside a CPU build they break the import.
_NEEDS_CUDA_BUILD = ("torchvision",)


def site_folder() -> Path:
    """Where the packages are, or are to be: another lock, Python or build of torch is another folder."""
    parts = [LOCK.read_text(), platform.python_version(), torch.__version__]
    return cache_root() / "vllm" / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def is_installed() -> bool:
    """Whether the set-up was made."""
    return site_folder().is_dir()


def install() -> Path:
    """Install what is missing; two installers at once do it once, and a killed one leaves nothing that counts."""
    site = site_folder()
    site.parent.mkdir(parents=True, exist_ok=True)
    with (site.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not site.is_dir():
            _install(site)
    return site


def _install(site: Path) -> None:
    aside = Path(tempfile.mkdtemp(dir=site.parent))
    lines = [line for line in LOCK.read_text().splitlines() if line and not line.startswith("#")]
    if "+cu" not in torch.__version__:
        lines = [line for line in lines if line.partition("==")[0] not in _NEEDS_CUDA_BUILD]
    (aside / "requirements.txt").write_text("\n".join(lines))
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--compile-bytecode", "--target", aside / "site"]
    command += ["--requirement", aside / "requirements.txt", "--python", sys.executable]
    try:
        subprocess.run(command, check=True, env={**os.environ, "UV_LINK_MODE": "copy"})
        (aside / "site").rename(site)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


if __name__ == "__main__":
    print(install())

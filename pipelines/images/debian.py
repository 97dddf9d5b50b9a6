"""A base image where there is no registry: a small Debian made by debootstrap from the mirror that apt uses here.

Nothing of this machine stays in it: no mirror, no lists, no documentation.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from clsp.errors import ConfigError
from pipelines.images.tools import Build, Tool

SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates"
_LEFT_OUT = (
    "dev",
    "etc/apt/sources.list",
    "proc",
    "sys",
    "usr/share/doc",
    "usr/share/locale",
    "usr/share/man",
    "var/cache/apt",
    "var/lib/apt/lists",
    "var/log",
)
_DOCKERFILE = """\
FROM scratch
ADD root.tar /
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CMD ["/bin/sh"]
"""


def debian_base(tool: Tool, cache: Path) -> str:
    """Name of the base image; the file system is made once and kept in ``cache``."""
    image = f"localhost/clsp-platform/debian:{SUITE}"
    if tool.find(image) is None:
        root = cache / f"debian-{SUITE}.tar"
        if not root.exists():
            _make_root(root)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            context = Path(folder)
            (context / "root.tar").hardlink_to(root)
            (context / "Dockerfile").write_text(_DOCKERFILE)
            tool.build(Build(context / "Dockerfile", context, target="", image=image))
    return image


def _make_root(archive: Path) -> None:
    if shutil.which("debootstrap") is None:
        raise ConfigError("debootstrap is not installed", hint="apt-get install debootstrap, or take BASE=an image")
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.parent) as folder:
        _call("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", SUITE, folder, _mirror())
        left_out = [f"--exclude=./{path}{'/*' if '/' in path else '/?*'}" for path in _LEFT_OUT]
        left_out.append("--exclude=./etc/apt/sources.list")
        partial = archive.with_suffix(".partial")
        _call("tar", "--directory", folder, *left_out, "--create", "--file", str(partial), ".")
        partial.replace(archive)


def _mirror() -> str:
    """The first source of the suite that apt has, else Debian's own."""
    wanted = ["--format", "$(REPO_URI)", "Created-By: Packages", f"Codename: {SUITE}"]
    answer = subprocess.run(["apt-get", "indextargets", *wanted], capture_output=True, text=True, check=False)
    return next(iter(answer.stdout.split()), "http://deb.debian.org/debian")


def _call(*command: str) -> None:
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        end = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[-8:])
        raise ConfigError(f"{command[0]} failed:\n{end}", hint="it needs root and a Debian mirror")

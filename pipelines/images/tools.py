"""docker, podman or buildah behind one seam: build a stage, ask for an image, run in it, write it to a file.

The first that works is taken: a docker command without its engine is no tool.
"""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from clsp.errors import ConfigError

TOOLS = ("docker", "podman", "buildah")
_FEW = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")  # podman asks for more than some hosts may give
_UNITS = {"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}


@dataclass(frozen=True)
class Build:
    """One call of the builder: a stage of a Dockerfile becomes ``image``."""

    dockerfile: Path
    context: Path
    target: str
    image: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)

    def options(self) -> list[str]:
        """What all three tools understand."""
        ignored = self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")
        return [
            *("--file", str(self.dockerfile), "--tag", self.image),
            *(("--target", self.target) if self.target else ()),
            *(word for name, value in self.arguments.items() for word in ("--build-arg", f"{name}={value}")),
            *(word for name, value in self.labels.items() for word in ("--label", f"{name}={value}")),
            *(word for name, path in self.secrets.items() for word in ("--secret", f"id={name},src={path}")),
            *(("--ignorefile", str(ignored)) if ignored.exists() else ()),
            str(self.context),
        ]


@dataclass(frozen=True)
class Tool:
    """A container tool; ``store`` keeps images apart from the machine's own (podman and buildah).

    ``within`` is what each of its calls runs in.
    """

    name: str
    store: Path | None = None
    within: tuple[str, ...] = ()

    def build(self, build: Build) -> str:
        """Build and return the image's id. Raises ``ConfigError`` with the end of the tool's own words."""
        options = build.options()
        if self.name == "docker" and "--ignorefile" in options:  # it finds the file by its name
            at = options.index("--ignorefile")
            del options[at : at + 2]
        isolation = ["--isolation", "chroot"] if self.name == "buildah" else []
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder) / "id"
            self._call("build", *isolation, "--iidfile", str(written), *options)
            return written.read_text().strip().removeprefix("sha256:")

    def find(self, image: str) -> str | None:
        """The image's id, or None."""
        words = ["inspect", "--type", "image"] if self.name == "buildah" else ["image", "inspect"]
        answer = subprocess.run([*self._command(), *words, image], capture_output=True, check=False)
        if answer.returncode:
            return None
        described = json.loads(answer.stdout)
        found = described["FromImageID"] if self.name == "buildah" else described[0]["Id"]
        return str(found).removeprefix("sha256:")

    def size(self, image: str) -> int:
        """Bytes of the image's layers."""
        if self.name == "buildah":
            number, unit = json.loads(self._call("images", "--json", image))[0]["size"].split()
            return int(float(number) * _UNITS[unit])
        return int(json.loads(self._call("image", "inspect", image))[0]["Size"])

    def run(self, image: str, command: Sequence[str]) -> str:
        """What ``command`` prints in a new container of the image."""
        if self.name != "buildah":
            limits = _FEW if self.name == "podman" else ()
            return self._call(
                "run", "--rm", "--network=none", *limits, f"--entrypoint={command[0]}", image, *command[1:]
            )
        container = self._call("from", "--pull-never", image).strip()
        try:
            return self._call("run", "--isolation", "chroot", container, "--", *command)
        finally:
            self._call("rm", container)

    def save(self, image_id: str, image: str, archive: Path) -> None:
        """Write the image and its name as ``docker save`` does, layers uncompressed, for ``ctr images import``."""
        archive.parent.mkdir(parents=True, exist_ok=True)
        partial = archive.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        if self.name == "buildah":
            self._call("push", "--quiet", image_id, f"docker-archive:{partial}:{image}")
        else:
            self._call("save", "--output", str(partial), image)
        partial.replace(archive)

    def push(self, image: str) -> None:
        """Send the image to the registry in its name, with the credentials that the tool has."""
        self._call("push", "--quiet", image)

    def _command(self) -> list[str]:
        kept = ["--root", f"{self.store}/storage", "--runroot", f"{self.store}/run"] if self.store else []
        return [*self.within, self.name, *kept]

    def _call(self, *words: str) -> str:
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}  # docker before 23 knows no secrets without it
        answer = subprocess.run(
            [*self._command(), *words], capture_output=True, text=True, check=False, env=environment
        )
        if answer.returncode:
            end = "\n".join((answer.stdout + answer.stderr).strip().splitlines()[-12:])
            raise ConfigError(f"{self.name} {words[0]} failed:\n{end}", hint="the lines above are the tool's own")
        return answer.stdout


def choose_tool(name: str = "", store: Path | None = None) -> Tool:
    """The named tool, or the first of docker, podman and buildah that works here."""
    for candidate in (name,) if name else TOOLS:
        if shutil.which(candidate) and _works(candidate) and not (store and candidate == "docker"):
            return Tool(candidate, store, _within(candidate))
    raise ConfigError(
        f"none of {', '.join((name,) if name else TOOLS)} works here",
        hint="start the docker engine, or install podman or buildah",
    )


def _within(candidate: str) -> tuple[str, ...]:
    """Mounts of its own for root's buildah: whatever ends a build, none of them stays on the machine."""
    own = ("unshare", "--mount")
    if candidate == "buildah" and os.geteuid() == 0 and shutil.which(own[0]):
        return own if subprocess.run([*own, "true"], capture_output=True, check=False).returncode == 0 else ()
    return ()


def _works(candidate: str) -> bool:
    with suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run([candidate, "info"], capture_output=True, timeout=30, check=False).returncode == 0
    return False

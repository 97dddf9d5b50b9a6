"""The stages of the Dockerfile that are kept between builds, each under a key of everything it was made of.

A key is the hash of the stage's own instructions, the files it copies and the image below it; so a change of code finds
every environment as it was, and a changed lock makes only the environments that it is part of.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clsp.hashing import digest_file, digest_of
from pipelines.images.roles import TORCH
from pipelines.images.tools import Build, Tool

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
DOCKERFILE = FOLDER / "Dockerfile"
_STAGE = re.compile(r"^FROM \S+ AS (\S+)$", re.MULTILINE)
_ARGUMENT = re.compile(r"^ARG (\w+)=(\S+)$", re.MULTILINE)
_COPY = re.compile(r"^COPY (?!--)(.*) \S+$", re.MULTILINE)


@dataclass(frozen=True)
class Kept:
    """A stage under its key; ``built`` tells that this call had to make it."""

    image: str
    key: str
    built: bool


def default_base() -> str:
    """The base image that the Dockerfile names, with its digest."""
    return str(dict(_ARGUMENT.findall(DOCKERFILE.read_text()))["BASE_IMAGE"])


def instructions(stage: str) -> str:
    """The text of one stage of the Dockerfile."""
    text = DOCKERFILE.read_text()
    starts = {match[1]: match.start() for match in _STAGE.finditer(text)}
    end = min((start for start in starts.values() if start > starts[stage]), default=len(text))
    return text[starts[stage] : end]


def copied_by(stage: str) -> list[str]:
    """Names of the files and folders of the checkout that a stage copies."""
    return [name for names in _COPY.findall(instructions(stage)) for name in names.split()]


def files_below(place: Path) -> Iterator[Path]:
    """The file, or those of the folder that reach the builder, in order."""
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)


@dataclass(frozen=True)
class Kitchen:
    """Builds stages over one base, with what this machine tells pip and uv."""

    tool: Tool
    base: str
    torch: str
    secrets: Mapping[str, Path]

    def base_stage(self) -> Kept:
        """The base of every image."""
        return self._keep("base", [self._base_id(), instructions("base")], {})

    def installer(self) -> Kept:
        """What installs packages; never part of an image."""
        made_of = [self._base_id(), instructions("installer"), (FOLDER / "install").read_text()]
        return self._keep("installer", made_of, {})

    def environment(self, lock: str, installer: Kept, foundation: Kept) -> Kept:
        """``foundation`` with the packages of a lock."""
        text = (FOLDER / "locks" / f"{lock}.lock").read_text()
        torch = self.torch if lock.startswith(TORCH) else "default"
        made_of = [installer.key, foundation.key, instructions("packages"), instructions("environment"), text, torch]
        arguments = {"INSTALLER": installer.image, "FOUNDATION": foundation.image, "LOCK": lock, "TORCH": torch}
        return self._keep("environment", made_of, arguments, lock)

    def code(self, installer: Kept) -> Kept:
        """What installs packages, with our code installed; never part of an image, but copied into each."""
        copied = [file for name in copied_by("code") for file in files_below(ROOT / name)]
        files = [[str(file.relative_to(ROOT)), digest_file(file)] for file in copied]
        return self._keep("code", [installer.key, instructions("code"), files], {"INSTALLER": installer.image})

    def image(self, target: str, name: str, code: Kept, environment: Kept, labels: Mapping[str, str]) -> str:
        """The image of a role, ``environment`` with our code; its id."""
        return self._build(target, name, {"CODE": code.image, "ENVIRONMENT": environment.image}, labels)

    def _keep(self, target: str, made_of: Sequence[object], arguments: Mapping[str, str], name: str = "") -> Kept:
        key = digest_of(made_of)[:16]
        image = f"localhost/clsp-platform/{'-'.join(filter(None, (target, name)))}:{key}"
        missing = self.tool.find(image) is None
        if missing:
            self._build(target, image, arguments, {})
        return Kept(image, key, missing)

    def _build(self, target: str, image: str, arguments: Mapping[str, str], labels: Mapping[str, str]) -> str:
        return self.tool.build(
            Build(DOCKERFILE, ROOT, target, image, {"BASE_IMAGE": self.base, **arguments}, labels, self.secrets)
        )

    def _base_id(self) -> str:
        return self.base if "@sha256:" in self.base else (self.tool.find(self.base) or self.base)

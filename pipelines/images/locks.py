"""The part of requirements.lock that each image needs, found by walking the metadata of what is installed.

Nothing is resolved a second time: an image holds the very versions that the tests ran with. ``make image-locks`` writes
the files beside this module, and a test fails when they are stale.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from clsp.errors import ConfigError
from pipelines.images.roles import COMMON, ROLES, TORCH, Role

FOLDER = Path(__file__).parent / "locks"
_ROOT = Path(__file__).parents[2]
_GPU_WHEELS = re.compile(r"triton|nvidia-.*|cuda-.*")
# Declared by Feast (through sqlalchemy[mypy]) and never imported: checkers of types, which need no place in an image.
_NEVER_IMPORTED = frozenset({"mypy", "types-greenlet"})
# Where images run, whatever this machine is.
_TARGET = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.11.2",
    "python_version": "3.11",
    "sys_platform": "linux",
}


def make_locks(root: Path = _ROOT) -> dict[str, str]:
    """File name → text of every image's lock, without what the layers below it hold.

    ``common.lock`` is the layer that all roles share, ``torch.lock`` the one on it that roles with torch share;
    ``torch-mounted.lock`` names nothing: the test cluster mounts torch from its machine, at /opt/torch.

    Raises ``ConfigError`` when the environment or requirements.lock lacks something that an extra asks for.
    """
    pins = read_pins((root / "requirements.lock").read_text())
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    needed = {role: closure(_requirements(role, project)) for role in ROLES}
    common = set.intersection(*needed.values())
    torch = closure([TORCH]) - common
    without_gpu = {name for name in torch if not _GPU_WHEELS.fullmatch(name)}
    locks = {COMMON: common, TORCH: torch, f"{TORCH}-cpu": without_gpu, f"{TORCH}-mounted": set[str]()}
    for role, packages in needed.items():
        locks[role.name] = packages - common - (torch if role.shares_torch else set())
    return {f"{name}.lock": _render(packages, pins) for name, packages in locks.items()}


def read_pins(text: str) -> dict[str, str]:
    """Name → ``name==version`` of every line of a lock file."""
    lines = (line.strip() for line in text.splitlines())
    return {str(canonicalize_name(line.partition("==")[0])): line for line in lines if "==" in line}


def closure(requirements: Iterable[str]) -> set[str]:
    """Names of all packages that ``requirements`` need on the images' platform, themselves included."""
    seen: set[tuple[str, str]] = set()
    waiting = [wanted for text in requirements for wanted in _names(Requirement(text))]
    while waiting:
        wanted = waiting.pop()
        if wanted not in seen:
            seen.add(wanted)
            waiting += _needs(*wanted)
    return {name for name, _ in seen}


def _names(requirement: Requirement) -> Iterator[tuple[str, str]]:
    name = str(canonicalize_name(requirement.name))
    yield name, ""
    for extra in requirement.extras:
        yield name, extra


def _needs(name: str, extra: str) -> Iterator[tuple[str, str]]:
    try:
        texts = requires(name) or []
    except PackageNotFoundError as error:
        raise ConfigError(f"{name} is not installed here", hint="make setup, without TORCH=cpu") from error
    for text in texts:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({**_TARGET, "extra": extra}):
            yield from (wanted for wanted in _names(requirement) if wanted[0] not in _NEVER_IMPORTED)


def _requirements(role: Role, project: Mapping[str, dict[str, list[str]]]) -> Iterator[str]:
    yield from project["dependencies"]
    for extra in role.extras:
        yield from project["optional-dependencies"][extra]


def _render(packages: set[str], pins: Mapping[str, str]) -> str:
    if missing := sorted(packages - pins.keys()):
        raise ConfigError(
            f"requirements.lock lacks {', '.join(missing)}", hint="add them to requirements.in; make lock"
        )
    return "".join(f"{pins[name]}\n" for name in sorted(packages))

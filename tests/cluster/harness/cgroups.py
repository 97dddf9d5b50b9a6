"""The control groups of a node: made before it starts, removed when everything in them is dead.

Works on the hierarchies of version 1 (with an empty one of version 2 beside them) and on the single one of version 2.
"""

import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
INHERITED = ("cpuset.cpus", "cpuset.mems")
POLL_SECONDS = 0.05


def hierarchies() -> list[Path]:
    """One folder a hierarchy."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    return [folder for folder in sorted(ROOT.iterdir()) if folder.is_dir() and not folder.is_symlink()]


def make_group(name: str) -> None:
    """Make the group in every hierarchy, ready for children."""
    for hierarchy in hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in INHERITED:
            if (hierarchy / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())
        if hierarchy == ROOT:
            wanted = " ".join(f"+{one}" for one in (group / "cgroup.controllers").read_text().split())
            (group / "cgroup.subtree_control").write_text(wanted)


def below(group: Path) -> Iterator[Path]:
    """The group's descendants and itself, deepest first."""
    for child in group.iterdir():
        if child.is_dir():
            yield from below(child)
    yield group


def remove_group(name: str, timeout: float) -> None:
    """Remove the group and what is below it, waiting for the last processes in it to be gone.

    Raises:
        TimeoutError: something in it still lives.
    """
    deadline = time.monotonic() + timeout
    for hierarchy in hierarchies():
        while (hierarchy / name).exists():
            try:
                for group in list(below(hierarchy / name)):
                    group.rmdir()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{hierarchy / name} is still in use: {error}") from error
                time.sleep(POLL_SECONDS)

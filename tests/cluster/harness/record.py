"""What a cluster has on this machine, written down before it is made: teardown needs nothing else.

The owner holds a file lock for as long as it lives. A record whose lock can be taken, and which is not to be kept, is
of a crashed run, whatever became of that.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.cluster.harness.addresses import SLOTS, Addresses
from tests.cluster.tools.build import cache_root, locked


def clusters_root() -> Path:
    """Where clusters live while they live."""
    return cache_root() / "clusters"


@dataclass(frozen=True)
class Started:
    """A process: its number and its start time (clock ticks since boot), which a reused number would not share."""

    pid: int
    ticks: int

    @classmethod
    def of(cls, pid: int) -> "Started":
        """Raises ProcessLookupError when there is none."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except FileNotFoundError as error:
            raise ProcessLookupError(pid) from error
        return cls(pid, int(fields[19]))

    def alive(self) -> bool:
        """Runs still, and is no zombie."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
            return state not in "ZX" and Started.of(self.pid) == self
        except (FileNotFoundError, ProcessLookupError):
            return False


@dataclass(frozen=True)
class Record:
    """One cluster: everything of it that could outlive its processes, and those processes."""

    name: str
    slot: int
    boot: str
    kept: bool = False
    processes: tuple[Started, ...] = ()
    cgroups: tuple[str, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def addresses(self) -> Addresses:
        return Addresses(self.slot)

    @property
    def folder(self) -> Path:
        return clusters_root() / self.name

    @property
    def file(self) -> Path:
        return clusters_root() / f"{self.name}.json"

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    def save(self) -> None:
        """Write it whole or not at all."""
        part = self.file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        part.replace(self.file)

    def changed(self, **values: Any) -> "Record":
        """A saved copy with other values."""
        other = replace(self, **values)
        other.save()
        return other


def read(file: Path) -> Record:
    values = json.loads(file.read_text(encoding="utf-8"))
    started = tuple(Started(**one) for one in values.pop("processes"))
    return Record(**{**values, "cgroups": tuple(values.pop("cgroups"))}, processes=started)


def records() -> list[Record]:
    """All clusters that are written down."""
    return [read(file) for file in sorted(clusters_root().glob("*.json"))]


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@contextmanager
def all_records() -> Iterator[list[Record]]:
    """All records, and nobody else changes them meanwhile."""
    with locked(clusters_root() / ".lock"):
        yield records()


def claim(name: str) -> tuple[Record, int]:
    """Take a free slot under a name; call inside `all_records`. Returns the record and the owner's lock.

    Raises:
        FileExistsError: a cluster of that name lives.
        RuntimeError: no slot is free.
    """
    if any(one.name == name for one in records()):
        raise FileExistsError(f"a cluster {name!r} is there already: make cluster-down first")
    taken = {one.slot for one in records()}
    free = [slot for slot in range(SLOTS) if slot not in taken]
    if not free:
        raise RuntimeError(f"all {SLOTS} slots are taken: make cluster-down")
    lock = own(name)
    if lock is None:
        raise FileExistsError(f"a cluster {name!r} is being booted")
    record = Record(name, free[0], boot_id())
    record.save()
    record.folder.mkdir(mode=0o700)
    return record, lock


def own(name: str) -> int | None:
    """Take the owner's lock; None when its owner lives."""
    handle = os.open(clusters_root() / f"{name}.owner", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def forget(record: Record) -> None:
    """The last act of a teardown: remove the folder, then the record."""
    if record.folder.exists():
        shutil.rmtree(record.folder)
    (clusters_root() / f"{record.name}.owner").unlink(missing_ok=True)
    record.file.unlink(missing_ok=True)

"""Whether the workers of this machine still go on: each writes down the time as it steps, the launcher reads it.

A worker that waits for others leaves by itself once they have been silent for ``timeout_seconds``. One whose own time
stands for twice as long hangs, whatever it hangs in, also when nobody waits for it; SIGKILL ends it even if stopped.
Reading weights and joining the others may take longer than a step, so what comes before the first has its own limit.
"""

import fcntl
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from clsp.logs import get_logger
from clsp.training.stopping import InterruptionError, late_start, lost_peers

log = get_logger(__name__)
FOLDER = "heartbeats"
_STARTING = -1  # the step of a worker that has not come to one
_PATIENCE = 2  # in time-outs: a worker that is well computes for less than one, and then waits for at most one


@dataclass
class Heartbeat:
    """A worker's own: ``beat`` costs one small write. Nobody judges it before ``start`` and after ``rest``."""

    folder: Path
    rank: int
    _file: int | None = None

    @classmethod
    def of(cls, job_folder: Path, rank: int) -> "Heartbeat":
        """The heartbeat of this process, for the launcher of the job in ``job_folder``."""
        return cls(job_folder / FOLDER, rank)

    def start(self) -> None:
        """This process was started now and makes ready for its first step."""
        self.beat(_STARTING)

    def beat(self, step: int) -> None:
        """This process has come to ``step`` now."""
        record = b"%8d %16d %24d" % (self.rank, step, time.monotonic_ns())
        if self._file is None:
            self._file = self._open(record)
        else:
            os.pwrite(self._file, record, 0)

    def rest(self) -> None:
        """What follows is not timed."""
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None

    @property
    def _path(self) -> Path:
        return self.folder / str(os.getpid())

    def _open(self, record: bytes) -> int:
        """The file appears locked and filled; the lock is held until this process ends, however it does."""
        self.folder.mkdir(exist_ok=True)
        aside = self.folder / f".{os.getpid()}"
        file = os.open(aside, os.O_CREAT | os.O_TRUNC | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        os.pwrite(file, record, 0)
        aside.replace(self._path)
        return file


@dataclass(frozen=True)
class Watch:
    """The launcher's side: ends the workers of the job in ``folder`` that hang."""

    folder: Path
    timeout_seconds: float
    start_seconds: float

    def end_hung(self) -> InterruptionError | None:
        """Kill every worker that has been silent for too long; returns what to say of the last of them."""
        ended = None
        for path in (self.folder / FOLDER).glob("[0-9]*"):
            beat = _last_beat(path)
            if beat is None:
                continue
            rank, step, then = beat
            silent = round((time.monotonic_ns() - then) / 1e9, 1)
            starting = step == _STARTING
            if silent > (self.start_seconds if starting else _PATIENCE * self.timeout_seconds):
                os.kill(int(path.name), signal.SIGKILL)
                log.warning("worker_hung", rank=rank, step=None if starting else step, silent_seconds=silent)
                path.unlink(missing_ok=True)
                ended = late_start(rank, silent) if starting else lost_peers(step, [rank], silent)
        return ended


def _last_beat(path: Path) -> tuple[int, int, int] | None:
    """Rank, step and time (ns) that a living worker wrote; the file of one that has ended is removed."""
    try:
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                rank, step, then = map(int, file.read().split())
                return rank, step, then
        path.unlink(missing_ok=True)
    except FileNotFoundError:
        pass  # it rests, or has just ended
    return None

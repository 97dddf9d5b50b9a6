"""Starting a stage through torchrun on this machine, and reading how it ended."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from clsp.config import TrainSettings
from clsp.errors import ClspError, TrainingError, from_document
from clsp.training.heartbeats import Watch
from clsp.training.job import ERROR_FILE, INTERRUPTION_FILE, Job, leave_error
from clsp.training.stopping import InterruptionError

_TETHERED = "clsp.training.tethered"
# Page faults are dear in virtual machines: memory once taken is kept (measured: 13 s instead of 21 s for equal steps).
_KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "2",  # what is kept is kept an arena, and loader threads have their own
}
_LOOPBACK = "127.0.0.1"
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Meeting:
    """Where the agents of a training meet: ``nodes`` (MIN:MAX) of them, at a rendezvous store outside of all.

    ``address`` is how the others reach this agent; ``late_seconds`` is how long they wait for more than MIN.
    """

    endpoint: str
    nodes: str
    id: str
    address: str = _LOOPBACK
    late_seconds: int = 30


def launch(job: Job, meeting: Meeting | None = None) -> None:
    """Train ``job`` and wait: alone on this machine, or as one of a ``meeting``'s agents.

    Raises what ended it: TrainingError when a worker died, InterruptionError when this process got SIGTERM.
    """
    folder, settings = Path(job.folder), job.train_settings
    for name in (ERROR_FILE, INTERRUPTION_FILE):
        (folder / name).unlink(missing_ok=True)
    watch = Watch(folder, settings.timeout_seconds, settings.start_seconds)
    status = run_agent(agent_command(settings, job.write(), meeting), worker_environment(settings), watch)
    if status != 0:
        raise read_failure(folder, status)


def agent_command(settings: TrainSettings, job_file: Path, meeting: Meeting | None) -> list[str]:
    """torchrun for one machine. Its workers start again when one is lost or members come or go."""
    if meeting is None:
        where = ["--rdzv-backend=c10d", f"--rdzv-endpoint={_LOOPBACK}:0", f"--local-addr={_LOOPBACK}"]
    else:
        conf = f"is_host=0,read_timeout=60,last_call_timeout={meeting.late_seconds}"
        where = [
            f"--nnodes={meeting.nodes}", "--rdzv-backend=c10d", f"--rdzv-endpoint={meeting.endpoint}",
            f"--rdzv-id={meeting.id}", f"--rdzv-conf={conf}", f"--local-addr={meeting.address}",
        ]  # fmt: skip
    return [
        sys.executable, "-m", _TETHERED, str(os.getpid()), "torch.distributed.run",
        f"--nproc-per-node={settings.processes}", f"--max-restarts={settings.restarts}",
        f"--shutdown-timeout={settings.grace_seconds}", *where,
        "-m", _TETHERED, "0", "clsp.training.worker", str(job_file),
    ]  # fmt: skip


def run_agent(command: list[str], environment: dict[str, str], watch: Watch) -> int:
    """Run torchrun to its end and return its status; -SIGTERM when this process was told to stop, and passed it on.

    An error that no restart can mend ends it at once: its worker leaves it in the job's folder. A worker that hangs is
    ended, so that torchrun starts it again.
    """
    agent = subprocess.Popen(command, env=environment)
    with _passed_on(agent) as told:
        while agent.poll() is None and not (watch.folder / ERROR_FILE).exists():
            with suppress(subprocess.TimeoutExpired):
                agent.wait(_POLL_SECONDS)
            if hung := watch.end_hung():
                leave_error(watch.folder, INTERRUPTION_FILE, hung)
        if agent.poll() is None:
            agent.terminate()
        status = agent.wait()
        return -signal.SIGTERM if told else status


@contextmanager
def _passed_on(agent: "subprocess.Popen[bytes]") -> Iterator[list[int]]:
    """SIGTERM goes to the agent, whose workers save and leave; yields a list that then holds the signal."""
    told: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield told
        return

    def pass_on(number: int, _: Any) -> None:
        told.append(number)
        agent.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        yield told
    finally:
        signal.signal(signal.SIGTERM, before)


def worker_environment(settings: TrainSettings) -> dict[str, str]:
    """This process's environment with what the workers need; what an operator has set stays."""
    wanted = {
        **_KEEP_MEMORY,
        "TOKENIZERS_PARALLELISM": "false",
        # Without it, a restarted agent hands out the addresses of the attempt before.
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        **({"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}),
    }
    return {**wanted, **os.environ, "OMP_NUM_THREADS": str(settings.threads)}


def read_failure(folder: Path, status: int) -> ClspError:
    """What a worker said that ended it, or that torchrun left with ``status`` without a word."""
    if (path := folder / ERROR_FILE).exists():
        return from_document(orjson.loads(path.read_bytes()))
    if (path := folder / INTERRUPTION_FILE).exists():
        told = from_document(orjson.loads(path.read_bytes()))
        return InterruptionError(str(told.args[0]), hint=told.hint)
    return TrainingError(
        f"a training process ended unexpectedly (torchrun left with {status})",
        hint="its last lines are above; out of memory shows as signal 9. Run again to go on from the checkpoint",
    )

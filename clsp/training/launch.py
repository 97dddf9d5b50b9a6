"""Starting a stage through torchrun on this machine, and reading how it ended."""

import os
import subprocess
import sys
from pathlib import Path

import orjson

from clsp.config import TrainSettings
from clsp.errors import ClspError, TrainingError, from_document
from clsp.training.job import ERROR_FILE, Job

_TETHERED = "clsp.training.tethered"
# Page faults are dear in virtual machines: memory once taken is kept (measured: 13 s instead of 21 s for equal steps).
_KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "8000000000",
    "MALLOC_TOP_PAD_": "268435456",
}
_LOOPBACK = "127.0.0.1"


def launch(job: Job) -> None:
    """Train ``job`` with its number of processes and wait; raises what ended it (TrainingError when a worker died)."""
    command = torchrun_command(job.train_settings, job.write())
    status = subprocess.run(command, env=worker_environment(job.train_settings), check=False).returncode
    if status != 0:
        raise read_failure(Path(job.folder), status)


def torchrun_command(settings: TrainSettings, job_file: Path) -> list[str]:
    """torchrun on one machine. A lost worker ends the run: the next run resumes from the last checkpoint."""
    return [
        sys.executable, "-m", _TETHERED, str(os.getpid()), "torch.distributed.run",
        f"--nproc-per-node={settings.processes}", "--max-restarts=0", f"--local-addr={_LOOPBACK}",
        "--rdzv-backend=c10d", f"--rdzv-endpoint={_LOOPBACK}:0",
        "-m", _TETHERED, "0", "clsp.training.worker", str(job_file),
    ]  # fmt: skip


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
    path = folder / ERROR_FILE
    if path.exists():
        return from_document(orjson.loads(path.read_bytes()))
    return TrainingError(
        f"a training process ended unexpectedly (torchrun left with {status})",
        hint="its last lines are above; out of memory shows as signal 9. Run again to go on from the checkpoint",
    )

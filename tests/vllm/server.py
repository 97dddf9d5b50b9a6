"""Starting a real vLLM server on a tiny model; it dies with the process that started it, however that ends."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from clsp.processes import die_with_parent
from tests.ports import free_ports
from tests.vllm.packages import site_folder

_READY_SECONDS = 420  # 30 on a quiet machine
# A seeded request whose prompt is prefilled in parts kills the CPU engine ("CPU Generator does not use offset").
SMALL = (
    "--no-enable-chunked-prefill", "--max-num-batched-tokens=16384", "--max-model-len=4096", "--max-num-seqs=4",
    "--dtype=bfloat16", "--enforce-eager", "--seed=0", "--host=127.0.0.1",
    '--structured-outputs-config={"backend": "xgrammar", "disable_any_whitespace": true}',
)  # fmt: skip


def environment() -> dict[str, str]:
    """What vLLM needs to run here: its packages, one small cache, no network and no reports of its use."""
    paths = [str(site_folder()), str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return {
        **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1",
        "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


class Server:
    """One server process and its engine."""

    def __init__(self, model: Path, log: Path, *arguments: str) -> None:
        self._log = log
        (self.port,) = free_ports(1)
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", f"--model={model}"]
        command += [f"--served-model-name={model.name}", f"--port={self.port}", *SMALL, *arguments]
        with log.open("ab") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=file, env=environment(), start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509
            )  # fmt: skip

    @property
    def url(self) -> str:
        """Base URL of its API."""
        return f"http://127.0.0.1:{self.port}/v1"

    def wait(self) -> None:
        """Return when it answers; ``RuntimeError`` with the end of its log when it does not."""
        for _ in range(_READY_SECONDS * 2):
            if self._is_healthy():
                return
            try:
                self.process.wait(timeout=0.5)
                break
            except subprocess.TimeoutExpired:
                continue
        raise RuntimeError(f"vLLM did not start: {self._log.read_text()[-3000:]}")

    def metric(self, name: str, *, without: str = "-") -> float:
        """The sum of one of its metrics, over all labels but those that hold ``without``."""
        text = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics").read().decode()
        lines = [line for line in text.splitlines() if line.startswith(f"{name}{{") and f'"{without}"' not in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def stop(self) -> None:
        """End it and its engine at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _is_healthy(self) -> bool:
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).status == 200
        except OSError:
            return False


@contextmanager
def servers(*wanted: Server) -> Iterator[tuple[Server, ...]]:
    """All of them, once they answer; ended with the context."""
    try:
        for server in wanted:
            server.wait()
        yield wanted
    finally:
        for server in wanted:
            server.stop()

"""Starting a server: in this process, or in a child that ends with its parent."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import orjson

from clsp.config.serving import ServeSettings
from clsp.errors import EndpointError
from clsp.processes import PARENT_VARIABLE, keep_large_blocks

_SWITCH_SECONDS = 0.001  # the event loop, and with it every health check, waits so long for a busy thread at most


@dataclass(frozen=True)
class ServerPlace:
    """Where a server listens: base URL of HTTP, ``host:port`` of gRPC ('' when off), and its process."""

    url: str
    grpc: str
    pid: int = 0


def start(models: Sequence[str], settings: ServeSettings) -> None:
    """Load ``models`` (directories or URIs, each may be ``NAME=MODEL``), print one JSON line ``{"url", "grpc"}`` when
    ready, serve until SIGTERM.

    Raises ``ModelError`` or ``ConfigError`` before anything is served.
    """
    import torch  # here, because a parent that only starts a child needs none of these

    from serving.catalogue import Catalogue
    from serving.kserve_sdk import quiet_logs
    from serving.places import read_place
    from serving.refresh import Refresher
    from serving.server import EmbeddingServer
    from serving.service import EmbeddingService
    from serving.tracing import start_tracing

    keep_large_blocks()
    quiet_logs()
    sys.setswitchinterval(_SWITCH_SECONDS)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    catalogue, service = Catalogue(), EmbeddingService(settings)
    refresher = Refresher(catalogue, service)
    refresher.load([read_place(model) for model in models])
    finish_tracing = start_tracing(settings.trace_endpoint)
    EmbeddingServer(catalogue, service, refresher).run()
    finish_tracing()


@contextmanager
def running_server(model: str, settings: ServeSettings, *more: str) -> Iterator[ServerPlace]:
    """A server of ``model`` and ``more`` in a child process, ready to answer; stopped at the end of the block.

    The child is killed when this process dies. ``EndpointError`` when it does not get ready in time.
    """
    command = [sys.executable, "-m", "serving", model, *more, "--settings", settings.model_dump_json()]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, PARENT_VARIABLE: str(os.getpid())})
    try:
        yield replace(_wait_ready(child, settings.ready_timeout_seconds), pid=child.pid)
    finally:
        stop_server(child, settings.drain_seconds + settings.grace_seconds)


def stop_server(child: subprocess.Popen[bytes], grace_seconds: float) -> int:
    """Ask a server to drain and return its exit code; it is killed when it overruns its grace time."""
    child.terminate()
    try:
        code = child.wait(grace_seconds + 5)
    except subprocess.TimeoutExpired:
        child.kill()
        code = child.wait()
    if child.stdout:
        child.stdout.close()
    return code


def _wait_ready(child: subprocess.Popen[bytes], timeout: float) -> ServerPlace:
    """Read the line that a server prints when it is ready."""
    timer = threading.Timer(timeout, child.kill)
    timer.start()
    try:
        line = child.stdout.readline() if child.stdout else b""
    finally:
        timer.cancel()
    if not line:
        raise EndpointError(
            "the embedding server did not start", hint="its messages are above; try `python -m serving MODEL` by hand"
        )
    return ServerPlace(**orjson.loads(line))

"""Starting a server: in this process, or in a child that ends with its parent."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson

from clsp.config.serving import ServeSettings
from clsp.errors import EndpointError
from clsp.processes import PARENT_VARIABLE


@dataclass(frozen=True)
class ServerPlace:
    """Where a server listens: base URL of HTTP, ``host:port`` of gRPC ('' when off)."""

    url: str
    grpc: str


def start(model: str, settings: ServeSettings) -> None:
    """Load ``model`` (a directory or a URI), print one JSON line ``{"url", "grpc"}`` when ready, serve until SIGTERM.

    Raises ``ModelError`` or ``ConfigError`` before anything is served.
    """
    import torch  # here, because a parent that only starts a child needs none of these

    from clsp.model.loading import load_for_serving
    from serving.kserve_sdk import quiet_logs
    from serving.server import EmbeddingServer
    from serving.service import EmbeddingService

    quiet_logs()
    if settings.threads:
        torch.set_num_threads(settings.threads)
    loaded = load_for_serving(model, settings.device, settings.dtype, settings)
    EmbeddingServer(EmbeddingService(loaded, settings)).run()


@contextmanager
def running_server(model: str, settings: ServeSettings) -> Iterator[ServerPlace]:
    """A server of ``model`` in a child process, ready to answer; stopped at the end of the block.

    The child is killed when this process dies. ``EndpointError`` when it does not get ready in time.
    """
    command = [sys.executable, "-m", "serving", model, "--settings", settings.model_dump_json()]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, PARENT_VARIABLE: str(os.getpid())})
    try:
        yield _wait_ready(child, settings.ready_timeout_seconds)
    finally:
        stop_server(child, settings.grace_seconds)


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

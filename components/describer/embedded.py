"""The embedded endpoint: a describer that a step starts for itself, uses, and stops whatever happens."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

import components
from clsp.captions.connection import Connection, connect_all
from clsp.config.captions import EMBEDDED, EndpointSettings
from clsp.errors import EndpointError

_STOP_SECONDS = 5.0


@contextmanager
def open_endpoints(settings: EndpointSettings, key_variable: str) -> Iterator[tuple[Connection, ...]]:
    """The connections to the endpoints of ``settings``; an embedded one lives as long as the context."""
    if settings.url != EMBEDDED:
        yield connect_all(settings.url, key_variable)
        return
    with start_describer(settings.start_seconds) as url:
        yield (Connection(url),)


@contextmanager
def start_describer(start_seconds: float, *arguments: str) -> Iterator[str]:
    """Start a describer on a free port and give its URL; ``EndpointError`` when it is not ready in time."""
    tether = ["--die-with-parent", str(os.getpid())]
    command = [sys.executable, "-m", "components.describer", "--port", "0", *tether, *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=_environment())
    try:
        yield _wait_for_url(process, start_seconds)
    finally:
        _stop(process)


def _environment() -> dict[str, str]:
    # It needs to find this code, and no secret of the step that starts it.
    root = str(Path(components.__file__).parents[1])
    paths = [root, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "CLSP_"))}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"}


def _wait_for_url(process: subprocess.Popen[bytes], seconds: float) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    line = process.stdout.readline() if ready else b""
    if not line:
        raise EndpointError(
            f"the embedded describer was not ready within {seconds:g} s",
            hint="look for its error above; raise start_seconds on a busy machine",
        )
    return str(orjson.loads(line)["url"])


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()

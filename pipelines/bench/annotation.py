"""A sweep over what makes an engine fast: its two settings, if we may start it, and how much it is asked at once."""

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import httpx

from clsp.captions.connection import CAPTIONER_KEY, connect
from clsp.captions.speed import Load, measure_speed
from clsp.config import EndpointSettings
from clsp.errors import EndpointError
from clsp.processes import die_with_parent

_STOP_SECONDS = 30.0


@dataclass(frozen=True)
class Sweep:
    """What is tried. ``command`` starts an engine; ``{seqs}`` and ``{tokens}`` in it are filled in ('' starts none)."""

    endpoint: EndpointSettings
    load: Load
    concurrencies: Sequence[int]
    command: str = ""
    sequences: Sequence[int] = (64,)
    batched_tokens: Sequence[int] = (32_768,)
    start_seconds: float = 1800.0
    gpus: int = 1
    gpu_hour_price: float = 2.0


def run_sweep(sweep: Sweep) -> list[dict[str, Any]]:
    """One row a combination, the fastest first; ``EndpointError`` when an engine does not start or answer."""
    rows: list[dict[str, Any]] = []
    for sequences, tokens in product(sweep.sequences, sweep.batched_tokens):
        with _engine(sweep, sequences, tokens):
            settings = {"max_num_seqs": sequences, "max_num_batched_tokens": tokens} if sweep.command else {}
            rows += [{**settings, **_measured(sweep, number)} for number in sweep.concurrencies]
        if not sweep.command:
            break
    return sorted(rows, key=lambda row: -row["captions_per_second"])


def _measured(sweep: Sweep, concurrency: int) -> dict[str, Any]:
    endpoint = sweep.endpoint.model_copy(update={"concurrency": concurrency})
    connection = connect(endpoint.url, CAPTIONER_KEY)
    return asdict(measure_speed(connection, endpoint, sweep.load, sweep.gpus, sweep.gpu_hour_price))


@contextmanager
def _engine(sweep: Sweep, sequences: int, tokens: int) -> Iterator[None]:
    if not sweep.command:
        yield
        return
    command = shlex.split(sweep.command.replace("{seqs}", str(sequences)).replace("{tokens}", str(tokens)))
    starter = os.getpid()
    process = subprocess.Popen(command, start_new_session=True, preexec_fn=lambda: die_with_parent(starter))  # noqa: PLW1509
    try:
        _wait_until_healthy(sweep, process)
        yield
    finally:
        _stop(process)


def _wait_until_healthy(sweep: Sweep, process: "subprocess.Popen[bytes]") -> None:
    url = f"{sweep.endpoint.url.rstrip('/').removesuffix('/v1')}/health"
    deadline = time.monotonic() + sweep.start_seconds
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5).is_success:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
    raise EndpointError(
        f"the engine did not answer {url}", hint="look at its words above; raise --start-seconds for large weights"
    )


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            continue

"""``python -m components.train.worker``: what a training pod runs. All it needs and all it leaves is in the store.

It lays the order out in its scratch folder, trains it together with the other pods, and tells the step through the
store how that ended. The exit code tells the operator what to do: errors of ours are final, a lost process is not.
"""

import argparse
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clsp.errors import ClspError, TrainingError
from clsp.logs import configure_logs, get_logger
from clsp.storage import open_store
from clsp.training.job import ERROR_FILE, Job
from clsp.training.launch import Meeting, launch
from clsp.training.stage import PROGRESS_FILE
from components.train.exchange import Exchange
from components.train.order import lay_out, load_order
from components.train.training import collect

log = get_logger(__name__)
RETRY = 138  # 128 and more asks operators for another try; this one they leave to programs
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Options:
    """The command line: where the order is, and how this pod meets the others."""

    store: str
    order: str
    attempt: str
    nodes: str
    rendezvous: str
    processes: int
    late_seconds: int
    wait_seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Train an order's stage together with the other pods; the pod's exit code."""
    options = _parse(arguments)
    configure_logs()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    store = open_store(options.store)
    order = load_order(store, options.order)
    exchange = Exchange(store, order.checkpoints, options.attempt)
    if exchange.trained():
        return 0  # this pod was started again after the others had finished
    try:
        with tempfile.TemporaryDirectory(prefix="clsp-train-") as scratch:
            job = lay_out(store, order, Path(scratch))
            return _run(options, replace(job, settings={**job.settings, "processes": options.processes}), exchange)
    except ClspError as error:
        exchange.report(error)
        log.error("worker_failed", message=str(error.args[0]), hint=error.hint)
        return error.exit_code


def _run(options: Options, job: Job, exchange: Exchange) -> int:
    log.info("worker_waits", rendezvous=options.rendezvous)
    if not _holds(options.wait_seconds, lambda: _is_listening(options.rendezvous)):
        raise TrainingError(
            f"no rendezvous at {options.rendezvous} within {options.wait_seconds:g} s",
            hint="look at the rendezvous pod of this job: is it scheduled and ready?",
        )
    try:
        launch(job, _meeting(options))
    except TrainingError as error:
        if Path(job.folder, ERROR_FILE).exists():
            raise
        log.warning("worker_group_lost", reason=str(error.args[0]))  # told to stop, or a process died: worth a retry
        return RETRY
    return _hand_over(options, job, exchange)


def _hand_over(options: Options, job: Job, exchange: Exchange) -> int:
    """The operator ends all pods once one has succeeded: none may before the leading one has saved the model."""
    if Path(job.folder, PROGRESS_FILE).exists():
        exchange.leave(collect(exchange.store, Path(job.folder)))
    return 0 if _holds(options.wait_seconds, lambda: exchange.trained() is not None) else RETRY


def _meeting(options: Options) -> Meeting:
    return Meeting(
        endpoint=options.rendezvous,
        nodes=options.nodes,
        id=options.attempt,
        address=os.environ.get("POD_IP", socket.gethostname()),
        late_seconds=options.late_seconds,
    )


def _is_listening(endpoint: str) -> bool:
    host, _, port = endpoint.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_POLL_SECONDS).close()
    except OSError:
        return False
    return True


def _holds(seconds: float, check: Callable[[], bool]) -> bool:
    """Whether ``check`` came true within ``seconds``."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _parse(arguments: list[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m components.train.worker")
    parser.add_argument("--store", required=True, help="URI of the object store")
    parser.add_argument("--order", required=True, help="key of the order in the store")
    parser.add_argument("--attempt", required=True, help="id of this attempt, the same for all pods of it")
    parser.add_argument("--nodes", required=True, help="MIN:MAX pods")
    parser.add_argument("--rendezvous", required=True, help="HOST:PORT of the rendezvous store")
    parser.add_argument("--processes", type=int, default=1, help="training processes of this pod")
    parser.add_argument(
        "--late-seconds", type=int, default=30, help="how long MIN pods wait for more before they start"
    )
    parser.add_argument("--wait-seconds", type=float, default=600.0, help="deadline of waiting for the other pods")
    return Options(**vars(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())

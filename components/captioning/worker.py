"""``python -m components.captioning.worker``: what a pod of the Indexed Job runs, beside the engine that it asks.

It does every n-th unit of a step's work and commits each to the ledger; all pods plan the same units from the same
manifests. What ended it is left where the kubelet looks for the last words of a container.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from clsp.errors import ClspError, ConfigError, to_document
from clsp.hashing import canonical_json
from clsp.logs import configure_logs, get_logger
from clsp.storage import open_store
from clsp.storage.ledger import Ledger, Share
from clsp.storage.steps import step_key
from components.captioning.work import Work, do_here

log = get_logger(__name__)
STEPS = ("annotate", "verify")
LAST_WORDS = Path("/dev/termination-log")


def main(arguments: list[str] | None = None) -> int:
    """Do one share of a step's work; the pod's exit code."""
    options = _parse(arguments)
    configure_logs()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _do(options)
    except ClspError as error:
        log.error("worker_failed", message=str(error.args[0]), hint=error.hint)
        if LAST_WORDS.exists():
            LAST_WORDS.write_bytes(canonical_json(to_document(error)))
        return error.exit_code
    return 0


def _do(options: argparse.Namespace) -> None:
    work = make_work(options.step, options.settings, tuple(options.parent))
    key = step_key(work.recipe, work.parents)
    if key != options.key:
        raise ConfigError(
            f"this image would do other work ({key[:12]}) than the step asks for ({options.key[:12]})",
            hint="steps and workers must run images of the same release: look at cluster.images",
        )
    if options.engine:
        work = replace(work, endpoint=work.endpoint.model_copy(update={"url": options.engine}))
    store = open_store(options.store)
    share = Share(int(os.environ.get("JOB_COMPLETION_INDEX", "0")), options.workers)
    do_here(work, store, Ledger(store, options.step, key), share)


def make_work(step: str, settings: str, parents: tuple[str, ...]) -> Work:
    """The work of a step, as its own module makes it."""
    maker: Callable[[str, tuple[str, ...]], Work] = import_module(f"components.{step}.main").make_work
    return maker(settings, parents)


def _parse(arguments: list[str] | None) -> Any:
    parser = argparse.ArgumentParser(prog="python -m components.captioning.worker")
    parser.add_argument("--step", required=True, choices=STEPS)
    parser.add_argument("--store", required=True, help="URI of the object store")
    parser.add_argument("--key", required=True, help="key of the step's work, which must be this image's too")
    parser.add_argument("--settings", required=True, help="JSON of the step's section of the configuration")
    parser.add_argument("--parent", action="append", default=[], help="a parent manifest; in the step's order")
    parser.add_argument(
        "--workers", type=int, default=1, help="pods that share the work; which one: JOB_COMPLETION_INDEX"
    )
    parser.add_argument("--engine", default="", help="URL of the engine beside, instead of the one in the settings")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())

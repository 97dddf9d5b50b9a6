"""One training process, as torchrun starts it; an error that a person can act on is left for the launcher."""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch

from clsp.errors import ClspError
from clsp.logs import configure_logs, get_logger
from clsp.processes import keep_large_blocks
from clsp.training.heartbeats import Heartbeat
from clsp.training.job import ERROR_FILE, INTERRUPTION_FILE, Job, leave_error
from clsp.training.stage import train_stage
from clsp.training.stopping import InterruptionError
from clsp.training.world import joined_world

log = get_logger(__name__)


def main(arguments: Sequence[str]) -> None:
    """Train the job whose file is the only argument."""
    configure_logs()
    keep_large_blocks()
    job = Job.read(Path(arguments[0]))
    settings = job.train_settings
    torch.set_num_threads(settings.threads)
    try:
        with joined_world(settings.backend, settings.timeout_seconds) as world:
            train_stage(job, replace(world, heartbeat=Heartbeat.of(Path(job.folder), world.rank)))
    except InterruptionError as error:
        log.warning("training_interrupted", reason=str(error.args[0]))
        leave_error(Path(job.folder), INTERRUPTION_FILE, error)
        _end(error.exit_code)
    except ClspError as error:
        leave_error(Path(job.folder), ERROR_FILE, error)
        _end(error.exit_code)


def _end(status: int) -> NoReturn:
    """Leave at once: threads that wait for lost processes must not hold this one back."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

"""A training process among the others of its world; an error that a person can act on is left for the launcher."""

import os
import sys
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


def take_part(job_file: Path, heartbeat: Heartbeat) -> None:
    """Train the job of ``job_file`` together with the processes that torchrun's environment names."""
    configure_logs()
    keep_large_blocks()
    job = Job.read(job_file)
    settings = job.train_settings
    torch.set_num_threads(settings.threads)
    try:
        with joined_world(settings.backend, settings.timeout_seconds) as world:
            train_stage(job, replace(world, heartbeat=heartbeat))
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

"""One training process, as torchrun starts it; an error that a person can act on is left for the launcher."""

import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from clsp.errors import ClspError, to_document
from clsp.hashing import canonical_json
from clsp.logs import configure_logs
from clsp.training.job import ERROR_FILE, Job
from clsp.training.stage import train_stage
from clsp.training.world import joined_world


def main(arguments: Sequence[str]) -> None:
    """Train the job whose file is the only argument."""
    configure_logs()
    job = Job.read(Path(arguments[0]))
    settings = job.train_settings
    torch.set_num_threads(settings.threads)
    try:
        with joined_world(settings.backend, settings.timeout_seconds) as world:
            train_stage(job, world)
    except ClspError as error:
        _leave_error(Path(job.folder), error)
        sys.exit(error.exit_code)


def _leave_error(folder: Path, error: ClspError) -> None:
    """Processes may fail alike at once; each writes aside, and any one of them may stay."""
    aside = folder / f"{ERROR_FILE}.{id(error)}"
    aside.write_bytes(canonical_json(to_document(error)))
    aside.replace(folder / ERROR_FILE)

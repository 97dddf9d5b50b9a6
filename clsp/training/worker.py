"""One training process, as torchrun starts it: its heartbeat begins before anything heavy is imported."""

import os
from collections.abc import Sequence
from pathlib import Path

from clsp.training.heartbeats import Heartbeat


def main(arguments: Sequence[str]) -> None:
    """Train the job whose file is the only argument."""
    job_file = Path(arguments[0])
    heartbeat = Heartbeat.of(job_file.parent, int(os.environ["RANK"]))
    heartbeat.start()
    from clsp.training.member import take_part  # its imports are part of what the launcher times

    take_part(job_file, heartbeat)

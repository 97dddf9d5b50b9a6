"""The ``clsp`` command. Each module holds the commands of one journey; all errors say what to do next."""

import errno
import sys

import typer

from clsp.errors import ClspError
from clsp.logs import configure_logs
from clsp.processes import keep_large_blocks, obey_termination
from pipelines.cli import (
    annotate,
    average,
    bench,
    dashboards,
    demo,
    doctor,
    evaluate,
    model,
    plan,
    release,
    run,
    runs,
    schedule,
    serve,
    transfer,
)

app = typer.Typer(
    name="clsp",
    help="Speaking style as embeddings: annotate speech, train the dual encoder, serve and search it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (
    demo, run, runs, schedule, annotate, evaluate, serve, release, model, transfer, average, bench, plan, dashboards,
    doctor,
):  # fmt: skip
    module.add_commands(app)


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main() -> None:
    """Entry point of the command: known errors become two lines and an exit code."""
    obey_termination()
    keep_large_blocks()
    configure_logs()
    try:
        app()
    except ClspError as error:
        sys.stderr.write(f"clsp: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None and error.errno not in _FULL:
            raise
        sys.stderr.write(f"clsp: {error}\n  hint: check that path, its rights and the space left\n")
        sys.exit(1)

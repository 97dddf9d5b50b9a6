"""``python -m serving MODEL``: the command of the server's container."""

import argparse
import sys

from clsp.config import ServeSettings, parse_settings
from clsp.errors import ClspError
from clsp.logs import configure_logs
from clsp.processes import die_with_ancestor
from serving.launch import start


def main(arguments: list[str] | None = None) -> int:
    """Serve the model that the arguments name; the exit code of the error when that fails."""
    parser = argparse.ArgumentParser(
        prog="python -m serving",
        description="Serve a model's embeddings; example: python -m serving file:///store/models/clsp@latest",
    )
    parser.add_argument(
        "models",
        nargs="+",
        metavar="[NAME=]MODEL",
        help="model directory, or STORE/models/NAME/VERSION, or STORE/models/NAME@ALIAS; several are served by name",
    )
    parser.add_argument("--settings", default="{}", help="JSON of the 'serve' section of the configuration")
    chosen = parser.parse_args(arguments)
    configure_logs()
    die_with_ancestor()
    try:
        start(chosen.models, parse_settings(ServeSettings, chosen.settings))
    except ClspError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

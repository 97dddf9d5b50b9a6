"""`python -m tests.cluster.tools [NAME…]`: build what is missing and print each program's path, one a line."""

import argparse
import sys
import time

from tests.cluster.tools.build import build
from tests.cluster.tools.programs import SETS, set_named


def main() -> None:
    """Build the named sets (or programs); all of them when none is named."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.tools", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="program or module set (default: all)")
    arguments = parser.parse_args()
    wanted = list(dict.fromkeys(map(set_named, arguments.names))) if arguments.names else list(SETS)
    for module_set in wanted:
        started = time.monotonic()
        folder = build(module_set)
        print(f"{module_set.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
        for program in module_set.programs:
            print(folder / program)


if __name__ == "__main__":
    main()

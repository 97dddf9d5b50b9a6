"""A process that ends with its parent: ``python -m clsp.training.tethered PARENT MODULE …`` calls its ``main``.

torchrun and its workers start through this, so that a step killed with SIGKILL leaves nothing running. The tether is
tied before anything heavy is imported.
"""

import sys
from importlib import import_module

from clsp.processes import die_with_parent


def main(parent: str, module: str, *arguments: str) -> None:
    """Tie the tether to process ``parent``, then call ``main`` of ``module`` with the arguments."""
    die_with_parent(int(parent))
    import_module(module).main(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])

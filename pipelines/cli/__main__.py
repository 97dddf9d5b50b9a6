"""``python -m pipelines.cli`` is the ``clsp`` command."""

from pipelines.cli import main

main()

"""The flows, each on one page, how they are compiled and run, and the ``clsp`` command."""

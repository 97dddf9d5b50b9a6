"""What is claimed about speed and memory, measured: ratios of two programs that take turns in one run."""

"""Great Expectations over captions, verdicts and examples: the only place that judges data; it does nothing else."""

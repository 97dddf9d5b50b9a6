"""Great Expectations over captions, verdicts and examples: the only place that judges data, and it judges nothing else."""

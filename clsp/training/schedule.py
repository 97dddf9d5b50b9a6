"""The dynamic task schedule of stage 2: from mostly global + fine towards half of the steps on two fine captions."""


def task_probability(step: int, start: float = 0.95, end: float = 0.50, steps: int = 10_000) -> float:
    """Probability of Task 1 (global + fine) at ``step``: linear from ``start`` to ``end`` in ``steps``, then flat.

    Source: paper section on the dynamic scheduler, reference 1.7.
    """
    return max(end, start - (start - end) * step / steps)

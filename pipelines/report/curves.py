"""The course of training: what each stage recorded, thinned to what a chart can show."""

from collections.abc import Sequence
from itertools import groupby
from math import isfinite

import numpy as np

from clsp.training.rows import ProgressRow
from pipelines.report.outputs import Outputs
from pipelines.report.views import Numbers, Series, StageView

_POINTS = 240
_TASKS = {"fine": "fine", "global_and_fine": "global + fine", "two_fine": "two fine"}


def read_stages(outputs: Outputs) -> tuple[StageView, ...]:
    """One view a stage, in flow order."""
    rows = [row for manifest in outputs.manifests.values() for row in outputs.rows(manifest, "progress", ProgressRow)]
    return tuple(_stage(name, list(group)) for name, group in groupby(rows, key=lambda row: row.stage))


def _stage(name: str, rows: list[ProgressRow]) -> StageView:
    steps = [float(row.step) for row in rows]
    probability = [row.task_probability for row in rows]
    return StageView(
        stage=name,
        steps=len(rows),
        skipped=rows[-1].skipped,
        losses=_losses(rows),
        temperature=_thin("temperature", steps, [1 / row.scale for row in rows]),
        task_probability=_thin("p(global + fine)", steps, probability) if any(probability) else None,
        learning_rate=_thin("learning rate", steps, [row.lr for row in rows]),
        gradient_norm=_thin("gradient norm", steps, [row.grad_norm for row in rows]),
    )


def _losses(rows: list[ProgressRow]) -> tuple[Series, ...]:
    tasks = sorted({row.task for row in rows})
    of_task = {task: [row for row in rows if row.task == task] for task in tasks}
    return tuple(
        _thin(_TASKS.get(task, task), [float(row.step) for row in found], [row.loss for row in found])
        for task, found in of_task.items()
    )


def _thin(name: str, x: Sequence[float], y: Sequence[float]) -> Series:
    """At most ``_POINTS`` points, each the mean of as many neighbours; values that are not finite are left out."""
    finite = [(a, b) for a, b in zip(x, y, strict=True) if isfinite(b)]
    parts = max(1, min(_POINTS, len(finite)))
    return Series(name, _means([a for a, _ in finite], parts), _means([b for _, b in finite], parts))


def _means(values: Sequence[float], parts: int) -> Numbers:
    return tuple(float(np.mean(part)) for part in np.array_split(np.asarray(values), parts) if len(part))

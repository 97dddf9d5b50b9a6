"""What a running stage says about itself: one line every few seconds, from the leading process only."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from clsp.data.collate import Batch, padding_share
from clsp.progress import Progress
from clsp.training.rows import ProgressRow


@dataclass
class Reporter:
    """Counts the steps of a stage and keeps the facts of its next progress line."""

    stage: str
    steps: int
    clips: int
    speaks: bool
    _started: float = field(default_factory=time.monotonic)
    _reported: int = 0

    def __post_init__(self) -> None:
        self._progress = Progress(f"train_{self.stage}", self.steps, "steps")

    def running(self, start: int) -> AbstractContextManager[object]:
        """Context of the run; the last line is printed at its end."""
        self._progress.resume(start)
        return self._progress if self.speaks else nullcontext()

    def report(self, row: ProgressRow, parts: Sequence[Batch]) -> None:
        """Count one step."""
        if not self.speaks:
            return
        self._reported += 1
        seconds = max(time.monotonic() - self._started, 1e-9)
        self._progress.facts |= step_facts(row)
        self._progress.facts |= {
            "padding": round(padding_share(parts), 3),
            "clips_per_s": round(self._reported * self.clips / seconds, 1),
        }
        self._progress.advance()


def step_facts(row: ProgressRow) -> dict[str, float | int | str]:
    """What one line says about a step."""
    facts: dict[str, float | int | str] = {
        f"loss_{row.task}": round(row.loss, 4),
        "temperature": round(1 / row.scale, 4),
        "grad_norm": round(row.grad_norm, 3),
        "skipped": row.skipped,
    }
    return facts | ({"p_t": round(row.task_probability, 3)} if row.task_probability else {})

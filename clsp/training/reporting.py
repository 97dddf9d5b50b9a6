"""What a running stage says about itself: one line every few seconds, from the leading process only."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

from clsp.audio.fbank import HOP, SAMPLING_RATE
from clsp.data.collate import Sizes
from clsp.data.loader import Waited
from clsp.hashing import canonical_json
from clsp.progress import Progress
from clsp.training.rows import ProgressRow
from clsp.training.world import World


def step_name(stage: str) -> str:
    """What progress lines and metrics call a stage."""
    return f"train_{stage}"


@dataclass
class Reporter:
    """Counts the steps of a stage and keeps the facts of its next progress line.

    The line goes to the terminal, to Prometheus (clsp.metrics) and, a row every ``every`` steps, to ``journal``.
    """

    stage: str
    steps: int
    world: World
    waited: Waited
    journal: Path | None = None
    every: int = 1
    clock: Callable[[], float] = time.monotonic
    _sums: Sizes = field(default_factory=Sizes)

    def __post_init__(self) -> None:
        self._started = self.clock()
        self._waited_before = self.waited.seconds
        self._progress = Progress(step_name(self.stage), self.steps, "steps")

    def running(self, start: int) -> AbstractContextManager[object]:
        """Context of the run; the last line is printed at its end."""
        self._progress.resume(start)
        return self._progress if self.world.leads else nullcontext()

    def report(self, row: ProgressRow, sizes: Sizes) -> None:
        """Count one step whose global batch had ``sizes``."""
        if not self.world.leads:
            return
        self._sums = Sizes(*map(sum, zip(self._sums, sizes, strict=True)))
        facts = {**step_facts(row), **self._rates()}
        if self.journal and row.step % self.every == 0:
            with self.journal.open("ab") as file:
                file.write(canonical_json({**asdict(row), **facts, "time": round(time.time(), 3)}) + b"\n")
        self._progress.facts |= facts
        self._progress.advance()

    def _rates(self) -> dict[str, float | int | str]:
        seconds = max(self.clock() - self._started, 1e-9)
        return {
            "padding": round(1 - self._sums.frames / max(self._sums.padded_frames, 1), 3),
            "clips_per_s": round(self._sums.clips / seconds, 1),
            "audio_s_per_s": round(self._sums.frames * HOP / SAMPLING_RATE / seconds, 1),
            "data_wait": round((self.waited.seconds - self._waited_before) / seconds, 3),
            "world": self.world.size,
        }


def step_facts(row: ProgressRow) -> dict[str, float | int | str]:
    """What one line says about a step."""
    facts: dict[str, float | int | str] = {
        f"loss_{row.task}": round(row.loss, 4),
        "temperature": round(1 / row.scale, 4),
        "grad_norm": round(row.grad_norm, 3),
        "clip_factor": round(row.clip_factor, 3),
        "skipped": row.skipped,
    }
    return facts | ({"p_t": round(row.task_probability, 3)} if row.task_probability else {})

"""The loop of a stage: from the newest checkpoint to the last step, saving and saying how it goes.

When another process is lost, this one still holds the state after the last whole step, because nothing changes before
all gradients have met; it saves that alone, so that the next world goes on from there and not from the last interval.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from clsp.config import CheckpointSettings
from clsp.data.collate import Sizes
from clsp.data.loader import Loader, Parts
from clsp.errors import DataError, StorageError
from clsp.logs import get_logger
from clsp.training.average import RunningAverage
from clsp.training.checkpoints import Checkpoint, Checkpoints
from clsp.training.reporting import Reporter, step_name
from clsp.training.rows import ProgressRow
from clsp.training.saver import Saver
from clsp.training.stopping import InterruptionError, StopRequest, told_to_stop
from clsp.training.trainer import Trainer

log = get_logger(__name__)


def run_steps(
    trainer: Trainer,
    loader: Loader,
    checkpoints: Checkpoints,
    settings: CheckpointSettings,
    stop: StopRequest | None = None,
    journal: Path | None = None,
) -> None:
    """Train up to the stage's last step. Every process calls it; the leading one commits and reports.

    Raises InterruptionError, with the state saved, when a process was told to stop or another one was lost.
    """
    average = RunningAverage(settings.average_every)
    start, end = resume(trainer, checkpoints, average), trainer.objective.settings.steps
    every = trainer.objective.settings.log_every
    reporter = Reporter(trainer.objective.stage, end, trainer.world, loader.waited, journal, every)
    with (
        (stop or StopRequest()).heard() as request,
        Saver(checkpoints, trainer.world, step_name(trainer.objective.stage)) as saver,
        reporter.running(start),
    ):
        run = _Run(trainer, loader, saver, average, request, settings.every, end, start)
        try:
            for parts in loader.batches(start, end):
                reporter.report(*run.step(parts))
        except DataError:
            run.save_alone()
            raise


@dataclass
class _Run:
    trainer: Trainer
    loader: Loader
    saver: Saver
    average: RunningAverage
    stop: StopRequest
    every: int
    end: int
    done: int

    def step(self, parts: Parts) -> tuple[ProgressRow, Sizes]:
        """One step and what is due after it; the sizes are those of the global batch."""
        step = parts[0].step
        row, sizes = self._together(step, parts)
        if row is None:
            self._leave(step)
        self.done = done = step + 1
        if step % self.trainer.objective.settings.log_every == 0 or done == self.end:
            self.trainer.rows.append(row)
        self.average.update(self.trainer.model, done)
        self.saver.check()
        if done == self.end or done % self.every == 0:
            self.saver.save(self._checkpoint(done))
        return row, sizes

    def _together(self, step: int, parts: Parts) -> tuple[ProgressRow | None, Sizes]:
        """The step; None, and nothing done, when any process was told to stop before it."""
        try:
            with self.trainer.world.together(step):
                told, *sizes = self.trainer.world.sum(self.stop.made, *Sizes.of(parts))
                row = None if told else self.trainer.step(parts, self.loader.order.epoch(step))
                return row, Sizes(*sizes)
        except InterruptionError:
            self.save_alone()
            raise

    def _leave(self, step: int) -> NoReturn:
        self.saver.save(self._checkpoint(step))
        self.saver.settle()
        raise told_to_stop(step)

    def save_alone(self) -> None:
        """Save the whole state from this process: others are lost, or their data is, but no step that was taken."""
        step = self.done
        if step == 0:
            return
        try:
            self.saver.checkpoints.save(self._checkpoint(step))
            log.info("checkpoint_saved_alone", step=step)
        except StorageError as error:
            log.warning("checkpoint_not_saved", step=step, reason=str(error.args[0]))

    def _checkpoint(self, done: int) -> Checkpoint:
        return self.average.added_to(self.trainer.checkpoint(done))


def resume(trainer: Trainer, checkpoints: Checkpoints, average: RunningAverage) -> int:
    """Restore the newest whole checkpoint, the same on every process, and return how many steps it holds."""
    found = checkpoints.recover() if trainer.world.leads else None
    step = trainer.world.agree_on(found.step if found else 0)
    if step:
        checkpoint = found or checkpoints.load(step)
        trainer.restore(checkpoint)
        average.restore(checkpoint)
        log.info("training_resumed", step=step, world=trainer.world.size)
    return step

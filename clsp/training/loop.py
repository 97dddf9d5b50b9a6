"""The loop of a stage: from the newest checkpoint to the last step, saving and saying how it goes."""

from clsp.config import CheckpointSettings
from clsp.data.loader import Loader
from clsp.training.checkpoints import Checkpoints
from clsp.training.reporting import Reporter
from clsp.training.trainer import Trainer


def run_steps(trainer: Trainer, loader: Loader, checkpoints: Checkpoints, settings: CheckpointSettings) -> None:
    """Train up to the stage's last step. Every process calls it; the leading one saves and reports."""
    stage = trainer.objective
    start, end = resume(trainer, checkpoints), stage.settings.steps
    reporter = Reporter(stage.stage, end, loader.order.batch, speaks=trainer.world.leads)
    with reporter.running(start):
        for parts in loader.batches(start, end):
            step = parts[0].step
            row = trainer.step(parts, loader.order.epoch(step))
            done = step + 1
            if step % stage.settings.log_every == 0 or done == end:
                trainer.rows.append(row)
            if trainer.world.leads and (done % settings.every == 0 or done == end):
                checkpoints.save(trainer.checkpoint(done))
            reporter.report(row, parts)


def resume(trainer: Trainer, checkpoints: Checkpoints) -> int:
    """Restore the newest whole checkpoint, the same on every process, and return how many steps it holds."""
    found = checkpoints.latest() if trainer.world.leads else None
    step = trainer.world.agree_on(found.step if found else 0)
    if step:
        trainer.restore(found or checkpoints.load(step))
    return step

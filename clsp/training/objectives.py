"""What each stage minimises, and which task it trains at a step."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor
from torch.distributed import ProcessGroup

from clsp.config import StageSettings
from clsp.data.collate import Batch
from clsp.data.pairs import Task, choose_task
from clsp.losses import info_nce, multi_positive
from clsp.model import DualEncoder
from clsp.training.schedule import task_probability

Loss = Callable[[Tensor, Tensor, Tensor, ProcessGroup | None], Tensor]


@dataclass(frozen=True)
class Objective:
    """A stage's loss and its tasks."""

    stage: str
    settings: StageSettings

    def probability(self, step: int) -> float:
        """p of Task 1 at ``step``; 0 at stage 1, which has no tasks."""
        if self.stage == "stage1":
            return 0.0
        settings = self.settings
        return task_probability(step, settings.task_start, settings.task_end, settings.task_steps)

    def task(self, step: int) -> Task:
        """What ``step`` trains."""
        if self.stage == "stage1":
            return Task.FINE
        return choose_task(self.settings.seed, step, self.probability(step))

    def loss(self, model: DualEncoder, batch: Batch, group: ProcessGroup | None) -> Tensor:
        """This rank's loss; the mean over ranks is that of the global batch (clsp.losses)."""
        speech, text, scale = model(batch.features, batch.lengths, batch.input_ids, batch.attention_mask)
        if batch.task is Task.FINE:
            return info_nce(speech, text, scale, group=group)
        return multi_positive(speech, text, scale, self.settings.weight, group=group)

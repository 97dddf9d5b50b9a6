"""What each stage minimises, and which task it trains at a step."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from clsp.config import StageSettings
from clsp.data.collate import Batch
from clsp.data.pairs import Task, choose_task
from clsp.losses import info_nce, multi_positive
from clsp.model import DualEncoder
from clsp.training.schedule import task_probability


@dataclass(frozen=True)
class Embedded:
    """(B, D) clips and (k·B, D) captions on one sphere, caption 1 of all clips first; ``scale`` is exp(logit_scale)."""

    task: Task
    speech: Tensor
    text: Tensor
    scale: Tensor

    @classmethod
    def of(cls, model: DualEncoder, batch: Batch) -> "Embedded":
        """A micro-batch through both towers."""
        return cls(batch.task, *model(batch.features, batch.lengths, batch.input_ids, batch.attention_mask))

    @classmethod
    def join(cls, parts: "Sequence[Embedded]") -> "Embedded":
        """The micro-batches of one process as one batch."""
        task, captions = parts[0].task, len(parts[0].text) // len(parts[0].speech)
        texts = zip(*(part.text.tensor_split(captions) for part in parts), strict=True)
        speech = torch.cat([part.speech for part in parts])
        return cls(task, speech, torch.cat([torch.cat(text) for text in texts]), parts[0].scale)


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

    def loss(self, embedded: Embedded, group: ProcessGroup | None) -> Tensor:
        """This process's loss; the mean over processes is that of the global batch (clsp.losses)."""
        speech, text, scale = embedded.speech, embedded.text, embedded.scale
        if embedded.task is Task.FINE:
            return info_nce(speech, text, scale, group=group)
        return multi_positive(speech, text, scale, self.settings.weight, group=group)

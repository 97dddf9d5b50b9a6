"""What each stage minimises, and which task it trains at a step."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributed import ProcessGroup

from clsp.config import StageSettings
from clsp.data.collate import Batch
from clsp.data.pairs import Task, choose_task
from clsp.logs import get_logger
from clsp.losses import attribute_contrast, info_nce, multi_positive
from clsp.model import DualEncoder
from clsp.training.schedule import task_probability

log = get_logger(__name__)

_LABEL_FACTOR = 6364136223846793005


@dataclass(frozen=True)
class Embedded:
    """(B, D) clips and (k·B, D) captions on one sphere, caption 1 of all clips first; ``scale`` is exp(logit_scale).

    ``labels`` (k·B,) are equal where captions are. ``differs`` as in ``Batch``: where it is given, the last two blocks
    of text are a caption and its swapped copy.
    """

    task: Task
    speech: Tensor
    text: Tensor
    scale: Tensor
    labels: Tensor
    differs: Tensor | None = None

    @classmethod
    def of(cls, model: DualEncoder, batch: Batch) -> "Embedded":
        """A micro-batch through both towers."""
        speech, text, scale = model(batch.features, batch.lengths, batch.input_ids, batch.attention_mask)
        labels = text_labels(batch.input_ids, batch.attention_mask)
        return cls(batch.task, speech, text, scale, labels, batch.differs)

    @classmethod
    def join(cls, parts: "Sequence[Embedded]") -> "Embedded":
        """The micro-batches of one process as one batch."""
        task, captions = parts[0].task, len(parts[0].text) // len(parts[0].speech)
        speech = torch.cat([part.speech for part in parts])
        text, labels = (_by_caption([getattr(part, name) for part in parts], captions) for name in ("text", "labels"))
        differs = [part.differs for part in parts if part.differs is not None]
        return cls(task, speech, text, parts[0].scale, labels, torch.cat(differs) if differs else None)

    def gradients(self, counts: Iterable[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """Gradients of the speech and text rows of micro-batches of ``counts`` clips."""
        captions = len(self.text) // len(self.speech)
        to_speech, to_text = gradient_of(self.speech), gradient_of(self.text).view(captions, len(self.speech), -1)
        start = 0
        for count in counts:
            rows = slice(start, start + count)
            yield to_speech[rows], to_text[:, rows].flatten(0, 1)
            start += count


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

    def loss(self, embedded: Embedded, group: ProcessGroup | None, tile: int) -> Tensor:
        """This process's loss; the mean over processes is that of the global batch (clsp.losses)."""
        count = len(embedded.speech) * (1 if embedded.task is Task.FINE else 2)
        labels = embedded.labels[:count] if self.settings.spare_duplicates else None
        rows = embedded.speech, embedded.text[:count], embedded.scale
        if embedded.task is Task.FINE:
            loss = info_nce(*rows, group=group, labels=labels, tile=tile)
        else:
            loss = multi_positive(*rows, self.settings.weight, group=group, labels=labels, tile=tile)
        return loss if embedded.differs is None else loss + self._swapped(embedded, embedded.differs, group)

    def _swapped(self, embedded: Embedded, differs: Tensor, group: ProcessGroup | None) -> Tensor:
        """The stage-3 term, weighted."""
        clips = len(embedded.speech)
        plain, changed = embedded.text[-2 * clips :].tensor_split(2)
        contrast = attribute_contrast(embedded.speech, plain, changed, embedded.scale, differs, group=group)
        return self.settings.swapped_weight * contrast

    def warn(self) -> None:
        """Say so where the run ends before the task schedule does (reference 1.13: 0.77 instead of 0.50)."""
        settings = self.settings
        if self.stage != "stage1" and settings.steps < settings.task_steps:
            log.warning(
                "task_schedule_unfinished",
                stage=self.stage,
                steps=settings.steps,
                task_steps=settings.task_steps,
                ends_at=round(self.probability(settings.steps), 3),
                floor=settings.task_end,
                hint="lower task_steps to the steps of the run if it should reach its floor",
            )


def text_labels(input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """(N, L) tokens to (N,) int64, equal where the texts are, whatever their padding (products wrap around)."""
    powers = torch.full((input_ids.shape[1],), _LABEL_FACTOR, device=input_ids.device).cumprod(dim=0)
    return ((input_ids + 1) * attention_mask * powers).sum(dim=1)


def _by_caption(parts: Sequence[Tensor], captions: int) -> Tensor:
    """Rows of micro-batches, each caption 1 first, as rows of one batch, caption 1 of all first."""
    return torch.cat([torch.cat(rows) for rows in zip(*(part.tensor_split(captions) for part in parts), strict=True)])


def gradient_of(leaf: Tensor) -> Tensor:
    """What a backward pass left in a leaf, zeros when nothing."""
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad

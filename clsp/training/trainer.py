"""One optimiser step, and the state that survives it.

A step is a pure function of the state and the step's number: the batch, the dropout masks and the learning rate are
all derived from the number, so a run that was killed and resumed computes what an undisturbed one does.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from clsp.config import MemorySettings, OptimiserSettings
from clsp.data.collate import Batch
from clsp.errors import ModelError, TrainingError
from clsp.logs import get_logger
from clsp.model import DualEncoder, frozen_modules, parameter_groups
from clsp.model.machinery import set_batch_count, switch_edits
from clsp.optim import Eden, ScaledAdam
from clsp.training.checkpoints import Checkpoint
from clsp.training.gradients import Gradients
from clsp.training.objectives import Objective
from clsp.training.rows import ProgressRow, progress_row
from clsp.training.world import World

log = get_logger(__name__)


def make_optimiser(model: DualEncoder, settings: OptimiserSettings) -> tuple[ScaledAdam, Eden]:
    """ScaledAdam over the model's learning-rate groups, and Eden over it."""
    groups = parameter_groups(model, settings.base_lr, settings.module_scales)
    optimiser = ScaledAdam(groups, lr=settings.base_lr, clipping_scale=settings.clipping_scale)
    warmup = {"warmup_batches": settings.warmup_batches, "warmup_start": settings.warmup_start}
    return optimiser, Eden(optimiser, settings.lr_batches, settings.lr_epochs, **warmup)


@dataclass
class Trainer:
    """The model with everything that changes while it is trained."""

    model: DualEncoder
    optimiser: ScaledAdam
    eden: Eden
    objective: Objective
    world: World
    memory: MemorySettings = field(default_factory=MemorySettings)
    skipped: int = 0
    rows: list[ProgressRow] = field(default_factory=list)

    def step(self, parts: Sequence[Batch], epoch: int) -> ProgressRow:
        """One step on this process's micro-batches; a loss or gradient that is not finite skips the update.

        Raises TrainingError, with the clips, when more steps than allowed were skipped.
        """
        step = parts[0].step
        self._prepare(step)
        gradients = Gradients(self.model, self.objective, self.world, self.memory)
        mean_loss, grad_norm = self._averaged(*gradients.of(parts))
        self.eden.step_epoch(epoch)
        self.eden.step_batch(step)
        if math.isfinite(mean_loss) and math.isfinite(grad_norm):
            self.optimiser.step()
            self.model.clamp_logit_scale()
        else:
            self._skip(parts)
        return self._row(parts[0], epoch, mean_loss, grad_norm)

    def __post_init__(self) -> None:
        switch_edits(self.model, on=self.objective.settings.machinery == "published")
        self.model.checkpoint_activations(on=self.memory.checkpoint_activations)

    def _prepare(self, step: int) -> None:
        """Schedules follow the step; frozen encoders stay as they are in use, also in what is random."""
        settings = self.objective.settings
        set_batch_count(self.model, settings.counter_start + step * settings.counter_per_step)
        self.model.train()
        for module in frozen_modules(self.model, settings.freeze):
            module.eval()
        self.optimiser.zero_grad(set_to_none=True)

    def _averaged(self, loss: Tensor, gradients: dict[nn.Parameter, Tensor]) -> tuple[float, float]:
        """Mean loss, and norm of the mean gradient, which is left in the weights."""
        self.world.average([*gradients.values(), loss])
        for parameter, gradient in gradients.items():
            parameter.grad = gradient.to(parameter.dtype)
        norm = torch.nn.utils.get_total_norm([parameter.grad for parameter in gradients if parameter.grad is not None])
        return float(loss), float(norm)

    def _skip(self, parts: Sequence[Batch]) -> None:
        self.skipped += 1
        step, clips = parts[0].step, [clip for part in parts for clip in part.clips]
        log.warning("step_skipped", step=step, skipped=self.skipped, clips=clips)
        if self.skipped > self.objective.settings.max_skipped:
            raise TrainingError(
                f"{self.skipped} steps had no finite loss; the last, step {step}, held clips {', '.join(clips[:8])}",
                hint="lower optimiser.base_lr, lengthen its warm-up, or look at these clips",
            )

    def _row(self, batch: Batch, epoch: int, loss: float, grad_norm: float) -> ProgressRow:
        return ProgressRow(
            stage=self.objective.stage,
            step=batch.step,
            epoch=epoch,
            task=batch.task.name.lower(),
            loss=loss,
            scale=float(self.model.logit_scale.detach().exp()),
            task_probability=self.objective.probability(batch.step),
            lr=self.eden.last_lrs()[0],
            grad_norm=grad_norm,
            clip_factor=min(self.optimiser.clip_factors()),
            skipped=self.skipped,
        )

    def checkpoint(self, step: int) -> Checkpoint:
        """Everything that ``restore`` needs to go on after ``step`` steps."""
        tensors = {f"model/{name}": tensor for name, tensor in self.model.state_dict().items()}
        numbers: dict[str, dict[str, Any]] = {}
        names = self._optimised()
        for index, state in self.optimiser.state_dict()["state"].items():
            for key, value in state.items():
                if isinstance(value, Tensor):
                    tensors[f"optimiser/{names[index]}/{key}"] = value
                else:
                    numbers.setdefault(names[index], {})[key] = value
        rows = [asdict(row) for row in self.rows]
        return Checkpoint(step, tensors, {"optimiser": numbers, "skipped": self.skipped, "rows": rows})

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint; ModelError when it is of another architecture."""
        weights = _under("model/", checkpoint.tensors)
        by_name: dict[str, dict[str, Any]] = {
            name: dict(numbers) for name, numbers in checkpoint.facts["optimiser"].items()
        }
        for path, tensor in _under("optimiser/", checkpoint.tensors).items():
            name, _, key = path.rpartition("/")
            by_name.setdefault(name, {})[key] = tensor
        state = {index: by_name[name] for index, name in enumerate(self._optimised()) if name in by_name}
        try:
            self.model.load_state_dict(weights)
            groups = self.optimiser.state_dict()["param_groups"]
            self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        except (RuntimeError, ValueError) as error:
            raise ModelError("the checkpoint is of another architecture", hint="change the settings back") from error
        self.skipped = checkpoint.facts["skipped"]
        self.rows = [progress_row(row) for row in checkpoint.facts["rows"]]

    def _optimised(self) -> list[str]:
        """Names of the optimiser's tensors in its order, which depends on their learning rates."""
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        return [names[id(tensor)] for group in self.optimiser.param_groups for tensor in group["params"]]


def _under(prefix: str, tensors: Any) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}

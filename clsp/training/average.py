"""The running average of the weights over a whole run, which averages over any interval are made of (reference 1.8).

Kept in float64 on the host by every process, because whichever process outlives the others writes the checkpoint.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from clsp.training.checkpoints import Checkpoint

PREFIX = "average/"


@dataclass
class RunningAverage:
    """Mean of the weights after every ``every`` steps (0: none is kept); ``steps`` is how many it stands for."""

    every: int
    steps: int = 0
    tensors: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def update(self, model: nn.Module, done: int) -> None:
        """Take in the weights after ``done`` steps: avg ← cur·P/n + avg·(1 - P/n), where n is ``done``."""
        if self.every == 0 or done % self.every:
            return
        share = self.every / done if self.tensors else 1.0
        for name, tensor in model.state_dict().items():
            current = tensor.detach().to("cpu", torch.float64, copy=True)
            self.tensors[name] = current if share == 1.0 else self.tensors[name].lerp_(current, share)
        self.steps = done

    def added_to(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with the average in it, as ``average/NAME``, and its ``averaged_steps``."""
        named = {f"{PREFIX}{name}": tensor for name, tensor in self.tensors.items()}
        facts = {**checkpoint.facts, "averaged_steps": self.steps}
        return Checkpoint(checkpoint.step, {**checkpoint.tensors, **named}, facts)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint's average."""
        self.steps = int(checkpoint.facts.get("averaged_steps", 0))
        self.tensors = {
            name.removeprefix(PREFIX): tensor for name, tensor in checkpoint.tensors.items() if name.startswith(PREFIX)
        }

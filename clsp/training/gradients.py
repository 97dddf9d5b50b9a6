"""The gradient of a global batch's loss, also where only some of its clips fit the device at once.

A contrastive loss needs every embedding, so its gradient is no sum of smaller batches' gradients. In two passes, all
micro-batches go through the towers once without a graph, the loss gives the gradient of each embedding, and they go
through again, one at a time, to carry it to the weights: exact, for a third more work. What is random in a
micro-batch comes from its own seed, so both passes are alike, and alike on any process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clsp.config import MemorySettings
from clsp.data.collate import Batch
from clsp.hashing import digest_of
from clsp.model import DualEncoder
from clsp.training.objectives import Embedded, Objective
from clsp.training.world import World

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Gradients:
    """Adds to the weights' gradients that of the objective on this process's micro-batches."""

    model: DualEncoder
    objective: Objective
    world: World
    memory: MemorySettings

    def of(self, parts: Sequence[Batch]) -> Tensor:
        """This process's loss, detached."""
        if self.memory.two_passes and len(parts) > 1:
            return self._in_two_passes(parts)
        return self._backward(Embedded.join([self._embed(part) for part in parts]))

    def _in_two_passes(self, parts: Sequence[Batch]) -> Tensor:
        with torch.no_grad():
            outputs = [self._embed(part) for part in parts]
        joined = Embedded.join(outputs)
        leaves = replace(
            joined,
            speech=joined.speech.requires_grad_(),
            text=joined.text.requires_grad_(),
            scale=self.model.logit_scale.exp(),
        )
        loss = self._backward(leaves)
        for part, (to_speech, to_text) in zip(parts, leaves.gradients(map(len, (p.clips for p in parts))), strict=True):
            _carry(self._embed(part), to_speech, to_text)
        return loss

    def _backward(self, embedded: Embedded) -> Tensor:
        loss = self.objective.loss(embedded, self.world.group, self.memory.similarity_tile)
        torch.autograd.backward(loss)
        return loss.detach()

    def _embed(self, part: Batch) -> Embedded:
        key = digest_of([self.objective.stage, self.objective.settings.seed, part.step, part.number])
        torch.manual_seed(int(key[:15], 16))
        dtype = DTYPES[self.objective.settings.precision]
        with torch.autocast(self.world.device.type, dtype, enabled=dtype is not torch.float32):
            return Embedded.of(self.model, part.to(self.world.device))


def _carry(embedded: Embedded, to_speech: Tensor, to_text: Tensor) -> None:
    """Take the gradients of embeddings on to the weights; a frozen tower's end here."""
    pairs = ((embedded.speech, to_speech), (embedded.text, to_text))
    graphs = [(output, gradient) for output, gradient in pairs if output.requires_grad]
    torch.autograd.backward([output for output, _ in graphs], [gradient for _, gradient in graphs])

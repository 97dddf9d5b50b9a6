"""The gradient of a global batch's loss, also where only some of its clips fit the device at once.

A contrastive loss needs every embedding, so its gradient is no sum of smaller batches' gradients. In two passes, all
micro-batches go through the towers once without a graph, the loss gives the gradient of each embedding, and they go
through again, one at a time, to carry it to the weights: exact, for a third more work. What is random in a
micro-batch comes from its own seed, so both passes are alike, and alike on any process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from clsp.config import MemorySettings
from clsp.data.collate import Batch
from clsp.hashing import digest_of
from clsp.model import DualEncoder
from clsp.training.objectives import Embedded, Objective, gradient_of
from clsp.training.world import World

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Gradients:
    """The gradient of the objective on this process's micro-batches.

    Sums over micro-batches are in float64, as are the loss and the mean over processes: what is left of their order
    is then lost in the rounding to float32, and training is the same at any world size.
    """

    model: DualEncoder
    objective: Objective
    world: World
    memory: MemorySettings

    def of(self, parts: Sequence[Batch]) -> tuple[Tensor, dict[nn.Parameter, Tensor]]:
        """This process's loss, and the gradient of each weight that has one."""
        again = self.memory.two_passes and len(parts) > 1
        with torch.set_grad_enabled(not again):
            outputs = [self._embed(part) for part in parts]
        leaves = _as_leaves(Embedded.join(outputs))
        loss = self.objective.loss(leaves, self.world.group, self.memory.similarity_tile)
        torch.autograd.backward(loss)
        sums = self._scale_gradient(leaves.scale)
        counts = [len(part.clips) for part in parts]
        for part, output, gradients in zip(parts, outputs, leaves.gradients(counts), strict=True):
            _carry(self._embed(part) if again else output, *gradients)
            self._take(sums)
        return loss.detach(), sums

    def _take(self, sums: dict[nn.Parameter, Tensor]) -> None:
        """Move what a micro-batch left in the weights to the sums."""
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                gradient, parameter.grad = parameter.grad, None
                sums[parameter] = sums[parameter].double().add_(gradient) if parameter in sums else gradient

    def _scale_gradient(self, scale: Tensor) -> dict[nn.Parameter, Tensor]:
        logit_scale = self.model.logit_scale
        return {logit_scale: scale.detach() * gradient_of(scale)} if logit_scale.requires_grad else {}

    def _embed(self, part: Batch) -> Embedded:
        key = digest_of([self.objective.stage, self.objective.settings.seed, part.step, part.number])
        torch.manual_seed(int(key[:15], 16))
        dtype = DTYPES[self.objective.settings.precision]
        with torch.autocast(self.world.device.type, dtype, enabled=dtype is not torch.float32):
            return Embedded.of(self.model, part.to(self.world.device))


def _as_leaves(embedded: Embedded) -> Embedded:
    names = ("speech", "text", "scale")
    leaves = {name: getattr(embedded, name).detach().double().requires_grad_() for name in names}
    return replace(embedded, **leaves)


def _carry(embedded: Embedded, to_speech: Tensor, to_text: Tensor) -> None:
    """Take the gradients of embeddings on to the weights; a frozen tower's end here."""
    pairs = ((embedded.speech, to_speech), (embedded.text, to_text))
    graphs = [(output, gradient.to(output.dtype)) for output, gradient in pairs if output.requires_grad]
    torch.autograd.backward([output for output, _ in graphs], [gradient for _, gradient in graphs])

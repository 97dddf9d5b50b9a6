"""Rows of every rank, with gradients that travel back to the rank that made them.

`torch.distributed.all_gather` cuts the graph. Here the backward pass sums, for each rank's rows, the gradients
that all ranks hold for them, so that a loss over gathered rows is a loss over one large batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup


def all_gather(rows: Tensor, group: ProcessGroup | None = None) -> Tensor:
    """(B, …) of this rank to (W·B, …) in rank order, differentiable. B must be the same on every rank."""
    gathered: Tensor = _AllGather.apply(rows, group or dist.group.WORLD)  # type: ignore[no-untyped-call]
    return gathered


@dataclass(frozen=True)
class Ranks:
    """This process among those that share a batch; without a group it is the only one."""

    group: ProcessGroup | None
    rank: int

    @classmethod
    def of(cls, group: ProcessGroup | None) -> "Ranks":
        """The calling process's place in `group`."""
        return cls(group, 0 if group is None else dist.get_rank(group))

    def rows(self, count: int, device: torch.device) -> Tensor:
        """Indices in the gathered batch of this rank's own `count` rows."""
        return torch.arange(count, device=device) + self.rank * count

    def gather(self, rows: Tensor) -> Tensor:
        """All ranks' rows; on a single process the rows themselves."""
        return rows if self.group is None else all_gather(rows, self.group)


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, group: ProcessGroup) -> Tensor:
        ctx.group = group
        rows = rows.contiguous()
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size(group))]
        dist.all_gather(parts, rows, group=group)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Sequence[Tensor | None]:
        # Not reduce_scatter: gloo, the CPU backend, has none; these gradients are only W·B rows of D numbers.
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return total.chunk(dist.get_world_size(ctx.group))[dist.get_rank(ctx.group)], None

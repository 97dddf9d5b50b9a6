"""Rows of every rank, with gradients that travel back to the rank that made them.

`torch.distributed.all_gather` cuts the graph and wants equal counts. Here ranks may hold different numbers of rows,
and the backward pass sums, for each rank's rows, the gradients that all ranks hold for them, so that a loss over
gathered rows is a loss over one large batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup


def all_gather(rows: Tensor, group: ProcessGroup | None = None, counts: Sequence[int] | None = None) -> Tensor:
    """(B, …) of this rank to (ΣB, …) in rank order, differentiable. ``counts``: B of each rank, if known."""
    group = group or dist.group.WORLD
    counts = _counts(len(rows), rows.device, group) if counts is None else counts
    gathered: Tensor = _AllGather.apply(rows, tuple(counts), group)  # type: ignore[no-untyped-call]
    return gathered


@dataclass(frozen=True)
class Ranks:
    """This process among those that share a batch of clips; without a group it is the only one.

    ``counts`` are the clips that each rank brings.
    """

    group: ProcessGroup | None
    rank: int
    counts: tuple[int, ...]

    @classmethod
    def of(cls, group: ProcessGroup | None, clips: int, device: torch.device) -> "Ranks":
        """The calling process, which brings ``clips``, and its place in `group`."""
        if group is None:
            return cls(None, 0, (clips,))
        return cls(group, dist.get_rank(group), _counts(clips, device, group))

    @property
    def total(self) -> int:
        """Clips of the whole batch."""
        return sum(self.counts)

    @property
    def share(self) -> float:
        """Factor that turns a sum over own clips into a part whose mean over ranks is the mean over all clips."""
        return len(self.counts) / self.total

    def gather(self, rows: Tensor) -> Tensor:
        """All ranks' rows, one a clip; on a single process the rows themselves."""
        return rows if self.group is None else all_gather(rows, self.group, self.counts)

    def clips(self, device: torch.device) -> Tensor:
        """Indices in the whole batch of this rank's own clips."""
        return torch.arange(self.counts[self.rank], device=device) + sum(self.counts[: self.rank])


def _counts(count: int, device: torch.device, group: ProcessGroup | None) -> tuple[int, ...]:
    counts = torch.zeros(dist.get_world_size(group), dtype=torch.int64, device=device)
    counts[dist.get_rank(group)] = count
    dist.all_reduce(counts, group=group)
    return tuple(counts.tolist())


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, counts: tuple[int, ...], group: ProcessGroup) -> Tensor:
        ctx.counts, ctx.group = counts, group
        padded = rows.new_zeros(max(counts), *rows.shape[1:])
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in counts]
        dist.all_gather(parts, padded, group=group)
        return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        # Not reduce_scatter: gloo, the CPU backend, has none; these gradients are only ΣB rows of D numbers.
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=ctx.group)
        return torch.split(total, ctx.counts)[dist.get_rank(ctx.group)], None, None

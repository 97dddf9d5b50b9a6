"""The processes that train together: who this one is, and how gradients and decisions are shared.

Gradients travel as one flat tensor a step, because a tiny model has hundreds of tensors and each message costs.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import ProcessGroup

CPU = torch.device("cpu")


@dataclass(frozen=True)
class World:
    """This process among ``size``; ``group`` is None where it is alone."""

    rank: int = 0
    size: int = 1
    group: ProcessGroup | None = None
    device: torch.device = CPU

    @property
    def leads(self) -> bool:
        """Whether this process saves, reports and decides."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes; one message for all."""
        if self.group is None:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat, group=self.group)
        flat /= self.size
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        torch._foreach_copy_(list(tensors), [part.view_as(t) for part, t in zip(parts, tensors, strict=True)])

    def agree_on(self, number: int) -> int:
        """The leader's ``number``, on every process."""
        if self.group is None:
            return number
        shared = torch.tensor(number, device=self.device)
        dist.broadcast(shared, src=0, group=self.group)
        return int(shared)


@contextmanager
def joined_world(backend: str, timeout_seconds: float) -> Iterator[World]:
    """The world that torchrun's environment describes, left again at the end."""
    device = _device(backend)
    dist.init_process_group(backend, timeout=timedelta(seconds=timeout_seconds))
    try:
        size = dist.get_world_size()
        yield World(dist.get_rank(), size, dist.group.WORLD if size > 1 else None, device)
    finally:
        dist.destroy_process_group()


def _device(backend: str) -> torch.device:
    if backend != "nccl":
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device

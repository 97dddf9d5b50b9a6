"""The processes that train together: who this one is, and how gradients and decisions are shared.

Gradients travel as one flat tensor a step, because a tiny model has hundreds of tensors and each message costs.
Decisions and the saver's news travel over groups of their own on the CPU, so that they never mix with gradients.
"""

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import PrefixStore, ProcessGroup, Store, rendezvous  # type: ignore[attr-defined]

from clsp.training.heartbeats import Heartbeat
from clsp.training.stopping import lost_peers

CPU = torch.device("cpu")
_DIGEST_BYTES = 32
_STORE_SECONDS = 5.0  # a store that is silent for longer is held by a process that hangs


@dataclass(frozen=True)
class World:
    """This process among ``size``; the groups are None where it is alone.

    ``group`` carries gradients, ``control`` decisions, ``background`` the saver's news; in ``store`` each process
    notes the step it has come to.
    """

    rank: int = 0
    size: int = 1
    group: ProcessGroup | None = None
    device: torch.device = CPU
    control: ProcessGroup | None = None
    background: ProcessGroup | None = None
    store: Store | None = None
    timeout_seconds: float = field(default=600.0, compare=False)
    heartbeat: Heartbeat | None = field(default=None, compare=False)

    @property
    def leads(self) -> bool:
        """Whether this process commits, reports and decides."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its mean over the processes, summed in float64; one message for all."""
        if self.group is None:
            return
        flat = torch.cat([tensor.reshape(-1).double() for tensor in tensors])
        dist.all_reduce(flat, group=self.group)
        flat /= self.size
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        torch._foreach_copy_(list(tensors), [part.view_as(t) for part, t in zip(parts, tensors, strict=True)])

    def agree_on(self, number: int) -> int:
        """The leader's ``number``, on every process."""
        if self.control is None:
            return number
        shared = torch.tensor(number)
        dist.broadcast(shared, src=0, group=self.control)
        return int(shared)

    def sum(self, *numbers: float) -> list[float]:
        """Each number summed over the processes."""
        if self.control is None:
            return list(numbers)
        shared = torch.tensor(numbers, dtype=torch.float64)
        dist.all_reduce(shared, group=self.control)
        return list(shared.tolist())

    def exchange_digests(self, digest: str | None) -> list[str | None]:
        """The SHA-256 of each process, None of those that have none; safe beside the training thread."""
        if self.background is None:
            return [digest]
        mine = torch.tensor(list(bytes.fromhex(digest) if digest else bytes(_DIGEST_BYTES)), dtype=torch.uint8)
        gathered = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(gathered, mine, group=self.background)
        return [bytes(each.tolist()).hex() if each.any() else None for each in gathered]

    @contextmanager
    def together(self, step: int) -> Iterator[None]:
        """Messages of ``step`` inside; InterruptionError, naming who is behind, when others do not answer."""
        self._beat(step)
        if self.store is not None:
            self.store.set(f"step/{self.rank}", str(step))
        try:
            yield
        except RuntimeError as error:
            if not is_message_failure(error):
                raise
            self._beat(step)  # it has waited for as long as it may; now it looks for who is to blame
            silent = self.timeout_seconds if "timed out" in str(error).lower() else None
            raise lost_peers(step, self._behind(step), silent) from error

    def _beat(self, step: int) -> None:
        if self.heartbeat is not None:
            self.heartbeat.beat(step)

    def _behind(self, step: int) -> list[int]:
        """Ranks that have not come to ``step``, or do not leave it, as far as the store can still tell."""
        if self.store is None:
            return []
        patience = min(_STORE_SECONDS, self.timeout_seconds / 2)
        store, behind = self.store, [0]  # the leading process holds the store: without an answer, it is the one

        def ask() -> None:
            behind[:] = _silent_ranks(store, self.rank, self.size, step, patience / 2)

        asking = threading.Thread(target=ask, daemon=True)
        asking.start()
        asking.join(patience)
        return behind


def _silent_ranks(store: Store, own: int, size: int, step: int, seconds: float) -> list[int]:
    """Who did not start ``step``; if all did, who does not say within ``seconds`` that it leaves."""
    try:
        store.set(f"left/{own}", "")
        started = [int(store.get(f"step/{rank}")) if store.check([f"step/{rank}"]) else -1 for rank in range(size)]
        if behind := [rank for rank, at in enumerate(started) if at < step]:
            return behind
        deadline = time.monotonic() + seconds
        while (silent := [r for r in range(size) if not store.check([f"left/{r}"])]) and time.monotonic() < deadline:
            time.sleep(0.05)
        return silent
    except RuntimeError:
        return []  # the process that held the store is gone


def is_message_failure(error: RuntimeError) -> bool:
    """Whether a collective failed, as opposed to the computation around it; gloo raises plain RuntimeErrors."""
    return isinstance(error, dist.DistError) or "gloo" in str(error).lower()


@contextmanager
def joined_world(backend: str, timeout_seconds: float) -> Iterator[World]:
    """The world that torchrun's environment describes, left again at the end."""
    device, timeout = _device(backend), timedelta(seconds=timeout_seconds)
    store, rank, size = next(rendezvous("env://", timeout=timeout))
    store.set_timeout(timeout)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)
    try:
        if size == 1:
            yield World(device=device, timeout_seconds=timeout_seconds)
        else:
            control, background = (dist.new_group(backend="gloo", timeout=timeout) for _ in range(2))
            notes = PrefixStore("world", store)
            yield World(rank, size, dist.group.WORLD, device, control, background, notes, timeout_seconds)
    finally:
        dist.destroy_process_group()


def _device(backend: str) -> torch.device:
    if backend != "nccl":
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    return device

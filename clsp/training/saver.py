"""Saving while training goes on: the loop pays for a copy of its share of the state, a thread does the rest.

The processes tell each other in the background, over a group of their own, that their shares are written; then the
leading one commits. A process that could not write (disk full, no permission) raises at its next step; nothing was
committed, so the checkpoint before is what a later run goes on from.
"""

import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from torch import Tensor

from clsp import metrics
from clsp.errors import StorageError
from clsp.logs import get_logger
from clsp.training.checkpoints import Checkpoint, Checkpoints, share_of
from clsp.training.world import World, is_message_failure

log = get_logger(__name__)


@dataclass
class Saver:
    """Writes one checkpoint at a time; use as a context manager, which waits for the last one."""

    checkpoints: Checkpoints
    world: World
    step_name: str = "train"
    blocked_seconds: float = 0.0
    saved: int = 0
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "checkpoint"))
    _writing: Future[None] | None = None

    def save(self, checkpoint: Checkpoint) -> None:
        """Copy this process's share and write it in the background; every process calls it for the same steps."""
        started = time.perf_counter()
        self.settle()
        share = snapshot(share_of(checkpoint.tensors, self.world.rank, self.world.size))
        facts = checkpoint.facts if self.world.leads else {}
        self._writing = self._pool.submit(self._write, checkpoint.step, share, facts)
        self.blocked_seconds += time.perf_counter() - started

    def check(self) -> None:
        """Raise what ended the last save, if it has ended."""
        if self._writing and self._writing.done():
            self.settle()

    def settle(self) -> None:
        """Wait for the save that is under way; StorageError when this process could not write."""
        writing, self._writing = self._writing, None
        if writing:
            writing.result()

    def _write(self, step: int, share: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        name, failure = None, None
        try:
            name = self.checkpoints.put_share(step, share)
        except StorageError as error:
            failure = _unsaved(step, error)
        names = self._names_of_all(name)
        if failure:
            raise failure
        if None in names:
            log.warning("checkpoint_abandoned", step=step, reason="another process did not write its share")
        elif self.world.leads:
            self._commit(step, [name for name in names if name], facts)

    def _names_of_all(self, name: str | None) -> list[str | None]:
        try:
            return self.world.exchange_digests(name)
        except RuntimeError as error:
            if not is_message_failure(error):
                raise
            return [None]

    def _commit(self, step: int, names: list[str], facts: Mapping[str, Any]) -> None:
        try:
            self.checkpoints.commit(step, names, facts)
        except StorageError as error:
            raise _unsaved(step, error) from error
        self.saved += 1
        metrics.report_checkpoint(self.step_name)
        log.info("checkpoint_saved", step=step, shares=len(names))

    def __enter__(self) -> Self:
        if self.world.leads:
            metrics.report_checkpoint(self.step_name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.settle()
        finally:
            self._pool.shutdown(wait=kind is None)


def snapshot(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies in host memory that the next step does not change."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def _unsaved(step: int, error: StorageError) -> StorageError:
    return StorageError(
        f"the checkpoint of step {step} could not be saved: {error.args[0]}",
        hint=f"{error.hint}. The checkpoint before it is intact: run again to go on from it",
    )

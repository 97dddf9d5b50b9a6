"""Checkpoints in the object store: committed whole, verified on load, a torn one refused and the one before it used.

Each process writes its share of the state as one object named by its hash; a small pointer committed after all of them
makes the checkpoint exist. A run killed at any instant therefore finds either the new checkpoint or the one before.
Nothing is unpickled.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from clsp.errors import DataError
from clsp.hashing import canonical_json, digest
from clsp.logs import get_logger
from clsp.storage import ObjectStore

log = get_logger(__name__)
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """State after ``step`` steps: tensors by name, and facts that JSON can hold."""

    step: int
    tensors: Tensors
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run under ``prefix``; the newest ``keep`` stay."""

    store: ObjectStore
    prefix: str
    keep: int = 2

    def save(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint that this process holds whole."""
        self.commit(checkpoint.step, [self.put_share(checkpoint.step, checkpoint.tensors)], checkpoint.facts)

    def put_share(self, step: int, tensors: Tensors) -> str:
        """Write some of the tensors of ``step`` and return the share's name; without ``commit`` it is garbage."""
        held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        return self._put(step, save(held))

    def commit(self, step: int, shares: Sequence[str], facts: Mapping[str, Any]) -> None:
        """Make the checkpoint of ``step`` exist, now that all its shares do; then drop those that are too old."""
        pointer = {"shares": list(shares), "facts": self._put(step, canonical_json(facts))}
        self.store.put_if_absent(self._pointer(step), canonical_json(pointer))
        self._drop_old()

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; reading changes nothing."""
        return self._newest_whole(lambda _: None)

    def recover(self) -> Checkpoint | None:
        """The same for who goes on writing: torn ones that are newer are dropped, so that their steps can be saved."""
        return self._newest_whole(lambda step: self.store.delete(self._pointer(step)))

    def _newest_whole(self, refuse: Callable[[int], None]) -> Checkpoint | None:
        for step in self._steps_newest_first():
            try:
                return self.load(step)
            except DataError as error:
                log.warning("checkpoint_refused", step=step, reason=str(error.args[0]))
                refuse(step)
        return None

    def load(self, step: int) -> Checkpoint:
        """The checkpoint of ``step``; DataError when any byte of it is not what was written."""
        try:
            pointer = orjson.loads(self.store.get(self._pointer(step)))
            facts = orjson.loads(self._get(step, str(pointer["facts"])))
            tensors: dict[str, Tensor] = {}
            for share in pointer["shares"]:
                tensors |= load(self._get(step, str(share)))
            return Checkpoint(step, tensors, facts)
        except (orjson.JSONDecodeError, KeyError, TypeError, SafetensorError) as error:
            raise _torn(step) from error

    def _put(self, step: int, data: bytes) -> str:
        name = digest(data)
        self.store.put_blob(self._state(step, name), data)
        return name

    def _get(self, step: int, name: str) -> bytes:
        key = self._state(step, name)
        data = self.store.get(key) if self.store.exists(key) else b""
        if digest(data) != name:
            raise _torn(step)
        return data

    def _drop_old(self) -> None:
        """Pointers first: state that nothing points to is garbage, a pointer to nothing is a torn checkpoint.

        What is newer than the newest checkpoint is left: other processes may be writing it.
        """
        steps = list(self._steps_newest_first())
        for step in steps[self.keep :]:
            self.store.delete(self._pointer(step))
        kept = set(steps[: self.keep])
        for key in self.store.list(f"{self.prefix}/state/"):
            step = int(key.split("/")[-2])
            if step not in kept and step < max(kept):
                self.store.delete(key)

    def _steps_newest_first(self) -> Iterator[int]:
        keys = self.store.list(f"{self.prefix}/steps/")
        yield from sorted((int(key.rpartition("/")[2].removesuffix(".json")) for key in keys), reverse=True)

    def _pointer(self, step: int) -> str:
        return f"{self.prefix}/steps/{step:010d}.json"

    def _state(self, step: int, name: str) -> str:
        return f"{self.prefix}/state/{step:010d}/{name}"


def share_of(tensors: Tensors, rank: int, world: int) -> dict[str, Tensor]:
    """The tensors that ``rank`` of ``world`` writes: each tensor once, every process about as many bytes."""
    loads, mine = [0] * world, {}
    for name in sorted(tensors, key=lambda name: (-tensors[name].nbytes, name)):
        lightest = loads.index(min(loads))
        loads[lightest] += tensors[name].nbytes
        if lightest == rank:
            mine[name] = tensors[name]
    return mine


def _torn(step: int) -> DataError:
    return DataError(f"the checkpoint of step {step} is torn", hint="the one before it is used; nothing to do")

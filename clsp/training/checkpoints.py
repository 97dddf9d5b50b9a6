"""Checkpoints in the object store: committed whole, verified on load, a torn one refused and the one before it used.

State is one safetensors object named by its hash; a small pointer committed after it makes the checkpoint exist. A
run killed at any instant therefore finds either the new checkpoint or the one before. Nothing is unpickled.
"""

from collections.abc import Iterator, Mapping
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


@dataclass(frozen=True)
class Checkpoint:
    """State after ``step`` steps: tensors by name, and facts that JSON can hold."""

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one run under ``prefix``; the newest ``keep`` stay."""

    store: ObjectStore
    prefix: str
    keep: int = 2

    def save(self, checkpoint: Checkpoint) -> None:
        """Commit a checkpoint, then drop those that are too old."""
        data = save(
            {name: tensor.detach().cpu().contiguous() for name, tensor in checkpoint.tensors.items()},
            metadata={"facts": canonical_json(checkpoint.facts).decode()},
        )
        sha256 = digest(data)
        self.store.put_blob(self._state(sha256), data)
        self.store.put_if_absent(self._pointer(checkpoint.step), canonical_json({"state": sha256}))
        self._drop_old()

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; torn ones are dropped on the way."""
        for step in self._steps_newest_first():
            try:
                return self.load(step)
            except DataError as error:
                log.warning("checkpoint_refused", step=step, reason=str(error.args[0]))
                self.store.delete(self._pointer(step))
        return None

    def load(self, step: int) -> Checkpoint:
        """The checkpoint of ``step``; DataError when any byte of it is not what was written."""
        try:
            sha256 = str(orjson.loads(self.store.get(self._pointer(step)))["state"])
            data = self.store.get(self._state(sha256)) if self.store.exists(self._state(sha256)) else b""
            if digest(data) != sha256:
                raise _torn(step)
            return Checkpoint(step, load(data), _facts(data))
        except (orjson.JSONDecodeError, KeyError, TypeError, SafetensorError) as error:
            raise _torn(step) from error

    def _drop_old(self) -> None:
        """Pointers first: a state that nothing points to is garbage, a pointer to nothing is a torn checkpoint."""
        steps = list(self._steps_newest_first())
        for step in steps[self.keep :]:
            self.store.delete(self._pointer(step))
        wanted = {self._state(state) for state in self._pointed_to(steps[: self.keep])}
        for key in self.store.list(f"{self.prefix}/state/"):
            if key not in wanted:
                self.store.delete(key)

    def _pointed_to(self, steps: list[int]) -> Iterator[str]:
        for step in steps:
            try:
                yield str(orjson.loads(self.store.get(self._pointer(step)))["state"])
            except (orjson.JSONDecodeError, KeyError, TypeError):
                self.store.delete(self._pointer(step))

    def _steps_newest_first(self) -> Iterator[int]:
        keys = self.store.list(f"{self.prefix}/steps/")
        yield from sorted((int(key.rpartition("/")[2].removesuffix(".json")) for key in keys), reverse=True)

    def _pointer(self, step: int) -> str:
        return f"{self.prefix}/steps/{step:010d}.json"

    def _state(self, sha256: str) -> str:
        return f"{self.prefix}/state/{sha256}.safetensors"


def _facts(data: bytes) -> dict[str, Any]:
    header = orjson.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    facts: dict[str, Any] = orjson.loads(header["__metadata__"]["facts"])
    return facts


def _torn(step: int) -> DataError:
    return DataError(f"the checkpoint of step {step} is torn", hint="the one before it is used; nothing to do")

"""Finding what a store lost or garbled, and having it made again.

A finished step is not done again, so nothing would ever replace a shard that went missing or was altered on its disk.
Here shards are read against their hashes; the work that made the damaged ones is forgotten, so that the next run does
it again, which gives the same bytes wherever the step is deterministic.
"""

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from clsp.errors import DataError, StorageError
from clsp.hashing import digest_file
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import Manifest, Shard, load_manifest, manifest_key
from clsp.storage.objects import ObjectStore
from clsp.storage.steps import done_as, forget_step

_READERS = 8


@dataclass(frozen=True)
class Soundness:
    """What was read of a manifest of ``step`` ('' where it is damaged itself); ``damaged``: gone or altered objects."""

    step: str
    manifest: str
    shards: int
    bytes: int
    damaged: tuple[str, ...]


def check_manifests(store: ObjectStore, names: Iterable[str]) -> Iterator[Soundness]:
    """Read every shard of these manifests and of all that they were made of, each manifest once."""
    waiting, seen = deque(names), set[str]()
    while waiting:
        name = waiting.popleft()
        if name in seen:
            continue
        seen.add(name)
        manifest = _load(store, name)
        if manifest is None:
            yield Soundness("", name, 0, 0, (manifest_key(name),))
            continue
        waiting.extend(manifest.parents)
        sound = _are_sound(store, manifest.shards)
        damaged = tuple(shard.key for shard, good in zip(manifest.shards, sound, strict=True) if not good)
        size = sum(shard.bytes for shard in manifest.shards)
        yield Soundness(manifest.recipe.step, name, len(manifest.shards), size, damaged)


def forget_damaged(store: ObjectStore, found: Soundness) -> None:
    """Take away the damaged objects and the records that the step and its units which made them are done.

    The step's own record goes last, so that what a crash leaves is found again.
    """
    done = done_as(store, found.manifest, found.step)
    for key in found.damaged:
        store.delete(key)
    for step, key in done:
        ledger = Ledger(store, step, key)
        for unit, result in ledger.done().items():
            if not all(_are_sound(store, list(_shards_in(result)))):
                ledger.forget(unit)
        forget_step(store, step, key)


def _shards_in(value: JsonValue) -> Iterator[Shard]:
    """The shards that a unit's result names, wherever they stand in it."""
    if isinstance(value, dict) and value.keys() == Shard.model_fields.keys():
        yield Shard.model_validate(value)
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _shards_in(part)


def _are_sound(store: ObjectStore, shards: Sequence[Shard]) -> list[bool]:
    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(lambda shard: _is_sound(store, shard), shards))


def _load(store: ObjectStore, name: str) -> Manifest | None:
    if not store.exists(manifest_key(name)):
        return None
    try:
        return load_manifest(store, name)
    except DataError:
        return None


def _is_sound(store: ObjectStore, shard: Shard) -> bool:
    with tempfile.TemporaryDirectory(prefix="clsp-check-") as folder:
        copy = Path(folder) / "shard"
        try:
            store.get_file(shard.key, copy)
        except StorageError:
            if store.exists(shard.key):
                raise
            return False
        return digest_file(copy) == shard.sha256

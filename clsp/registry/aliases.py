"""Aliases: names such as ``latest`` that point to one version and move by compare-and-swap.

Each move is a numbered object committed by put-if-absent, so of movers that saw the same state exactly one succeeds,
on any store, and the history of an alias is kept.
"""

import orjson

from clsp.hashing import canonical_json
from clsp.registry.references import ALIASES, FOLDER, checked_name
from clsp.storage.objects import ObjectStore


def current_alias(store: ObjectStore, name: str, alias: str) -> str | None:
    """The version ``alias`` points to; None when it was never set."""
    return _last_move(store, name, alias)[1]


def move_alias(store: ObjectStore, name: str, alias: str, version: str, expected: str | None) -> bool:
    """Point ``alias`` at ``version`` if it still points at ``expected`` (None: never set); True when this did it."""
    number, current = _last_move(store, name, alias)
    if current != expected:
        return False
    return store.put_if_absent(f"{_prefix(name, alias)}{number + 1:06d}.json", canonical_json({"version": version}))


def _last_move(store: ObjectStore, name: str, alias: str) -> tuple[int, str | None]:
    prefix = _prefix(name, alias)
    keys = list(store.list(prefix))
    if not keys:
        return 0, None
    number = int(keys[-1].removeprefix(prefix).removesuffix(".json"))
    version: str = orjson.loads(store.get(keys[-1]))["version"]
    return number, version


def _prefix(name: str, alias: str) -> str:
    return f"{FOLDER}/{checked_name('name', name)}/{ALIASES}/{checked_name('alias', alias)}/"

"""Data sets that follow one another under a name: what drift is judged against is the one accepted last.

Each acceptance is a numbered object committed by put-if-absent. It tells which work it was and what that was held
against, so that the same work done again is held against the same, and is found done.
"""

from dataclasses import asdict, dataclass

import orjson

from clsp.hashing import canonical_json
from clsp.storage import ObjectStore


@dataclass(frozen=True)
class Acceptance:
    """``work`` (a step's key, baseline aside) was accepted as ``manifest``, held against ``baseline`` ('' if none)."""

    work: str
    manifest: str
    baseline: str


def baseline_of(store: ObjectStore, dataset: str, work: str) -> str:
    """The manifest that ``work`` is to be held against: what it was before, or the last accepted; '' if none is."""
    held = _acceptances(store, dataset)
    again = next((one for one in held if one.work == work), None)
    return again.baseline if again else held[-1].manifest if held else ""


def accept(store: ObjectStore, dataset: str, acceptance: Acceptance) -> None:
    """Make it the last of ``dataset``, unless it is there already."""
    while acceptance not in (held := _acceptances(store, dataset)):
        store.put_if_absent(f"{_folder(dataset)}{len(held) + 1:06d}.json", canonical_json(asdict(acceptance)))


def _acceptances(store: ObjectStore, dataset: str) -> list[Acceptance]:
    return [Acceptance(**orjson.loads(store.get(key))) for key in store.list(_folder(dataset))]


def _folder(dataset: str) -> str:
    return f"datasets/{dataset}/"

"""The manifests of a run, found by what they hold and not by what a step happens to be called."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from clsp.storage import ObjectStore
from clsp.storage.manifest import Manifest, load_manifest, read_rows

Row = TypeVar("Row")


@dataclass(frozen=True)
class Outputs:
    """The manifests of a run by step, in flow order, and the store that holds them."""

    store: ObjectStore
    names: dict[str, str]
    manifests: dict[str, Manifest]

    def first(self, kind: str) -> Manifest | None:
        """The earliest manifest with shards of ``kind``."""
        return next((manifest for manifest in self.manifests.values() if manifest.of_kind(kind)), None)

    def last(self, kind: str) -> Manifest | None:
        """The latest manifest with shards of ``kind``."""
        return next((found for found in reversed(self.manifests.values()) if found.of_kind(kind)), None)

    def rows(self, manifest: Manifest | None, kind: str, record: type[Row]) -> Iterator[Row]:
        """Rows of ``kind``; none when there is no such manifest."""
        return read_rows(self.store, manifest, kind, record) if manifest else iter(())


def load_outputs(store: ObjectStore, names: dict[str, str]) -> Outputs:
    """Read the manifests that ``names`` maps steps to."""
    return Outputs(store, names, {step: load_manifest(store, name) for step, name in names.items()})

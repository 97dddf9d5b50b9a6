"""Manifests: the immutable description of what a step gave, named by the hash of its content (design section 3).

A manifest lists shards, the recipe they came from, the parents they were made of, and sums that must add up: rows
never vanish. It holds no time and no place, so the same work has the same manifest everywhere.
"""

from collections.abc import Iterator
from typing import Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from clsp.errors import MEND, DataError
from clsp.hashing import canonical_json, digest
from clsp.storage.objects import ObjectStore
from clsp.storage.rows import decode_rows, encode_rows

Row = TypeVar("Row")
SCHEMA_VERSION = 1


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Counts(_Frozen):
    """Sums of one step, in ``unit``: rows in = accepted + rejected (by reason) + failed (by reason)."""

    unit: str
    rows_in: int = Field(ge=0)
    accepted: int = Field(ge=0)
    rejected: dict[str, int] = {}
    failed: dict[str, int] = {}

    @property
    def rejected_total(self) -> int:
        return sum(self.rejected.values())

    @property
    def failed_total(self) -> int:
        return sum(self.failed.values())

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        out = self.accepted + self.rejected_total + self.failed_total
        if out != self.rows_in:
            raise ValueError(f"{self.rows_in} {self.unit} in, but {out} out")
        return self


class Shard(_Frozen):
    """One object: ``kind`` says what it holds (a record's table name, or ``audio``)."""

    key: str
    kind: str
    sha256: str
    rows: int
    bytes: int


class Recipe(_Frozen):
    """Everything but the parents that decides what a step gives."""

    step: str
    settings: dict[str, JsonValue] = {}
    code: str
    model_revision: str = ""
    prompt_hash: str = ""


class Manifest(_Frozen):
    """What a step gave. ``record`` names the kind of shard whose rows ``counts.accepted`` counts."""

    schema_version: int = SCHEMA_VERSION
    record: str
    recipe: Recipe
    parents: tuple[str, ...]
    shards: tuple[Shard, ...]
    counts: Counts
    info: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _rows_match(self) -> Self:
        rows = sum(shard.rows for shard in self.shards if shard.kind == self.record)
        if self.record and rows != self.counts.accepted:
            raise ValueError(f"{self.counts.accepted} accepted {self.record}, but the shards hold {rows}")
        return self

    def of_kind(self, kind: str) -> tuple[Shard, ...]:
        """The shards of one kind, in order."""
        return tuple(shard for shard in self.shards if shard.kind == kind)


def manifest_key(name: str) -> str:
    """Object key of the manifest with this hash."""
    return f"manifests/{name}.json"


def save_manifest(store: ObjectStore, manifest: Manifest) -> str:
    """Write a manifest under the hash of its content and return that hash."""
    data = canonical_json(manifest.model_dump(mode="json"))
    name = digest(data)
    store.put_blob(manifest_key(name), data)
    return name


def load_manifest(store: ObjectStore, name: str) -> Manifest:
    """Read and check a manifest; ``DataError`` when it was altered or its sums do not add up."""
    data = store.get(manifest_key(name))
    if digest(data) != name:
        raise DataError(f"manifest {name[:12]} was altered", hint=MEND)
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        reason = "; ".join(str(problem["msg"]) for problem in error.errors())
        raise DataError(f"manifest {name[:12]} is refused: {reason}", hint=MEND) from error


def save_shard(store: ObjectStore, kind: str, data: bytes, rows: int, suffix: str) -> Shard:
    """Write one shard under the hash of its bytes."""
    sha256 = digest(data)
    shard = Shard(key=f"shards/{kind}/{sha256}.{suffix}", kind=kind, sha256=sha256, rows=rows, bytes=len(data))
    store.put_blob(shard.key, data)
    return shard


def read_shard(store: ObjectStore, shard: Shard) -> bytes:
    """The bytes of a shard, verified against its hash."""
    data = store.get(shard.key)
    if digest(data) != shard.sha256:
        raise DataError(f"shard {shard.key} was altered", hint=MEND)
    return data


def save_rows(store: ObjectStore, kind: str, record: type[Row], rows: list[Row]) -> Shard:
    """Write typed rows as one Parquet shard."""
    return save_shard(store, kind, encode_rows(record, rows), len(rows), "parquet")


def read_rows(store: ObjectStore, manifest: Manifest, kind: str, record: type[Row]) -> Iterator[Row]:
    """All rows of one kind, a shard at a time, in order."""
    for shard in manifest.of_kind(kind):
        yield from decode_rows(record, read_shard(store, shard))

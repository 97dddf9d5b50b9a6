"""Rows of shards by their number: any stretch of them, without holding the rest.

A data set has more rows than memory; work on it is planned by row numbers alone, and a worker reads what it is at.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from clsp.storage.manifest import Shard, read_shard
from clsp.storage.objects import ObjectStore
from clsp.storage.rows import decode_rows, decode_table, row_maker

Row = TypeVar("Row")
_KEPT_TABLES = 3  # neighbouring stretches share a shard


class RowSlices(Generic[Row]):
    """The rows of ``shards``, in order. Thread-safe."""

    def __init__(self, store: ObjectStore, shards: Sequence[Shard], record: type[Row]) -> None:
        self._store = store
        self._record = record
        self._shards = shards
        self._starts = [0, *accumulate(shard.rows for shard in self._shards)]
        self._tables: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[Row]:
        """All rows, a shard at a time; as often as wanted."""
        for shard in self._shards:
            yield from decode_rows(self._record, read_shard(self._store, shard))

    def read(self, start: int, stop: int) -> list[Row]:
        """Rows ``start`` … ``stop`` - 1."""
        rows: list[Row] = []
        make = row_maker(self._record)
        while start < stop:
            number = bisect_right(self._starts, start) - 1
            first, last = self._starts[number], min(stop, self._starts[number + 1])
            rows += map(make, self._table(self._shards[number]).slice(start - first, last - start).to_pylist())
            start = last
        return rows

    def column(self, name: str) -> Iterator[Any]:
        """The values of one column, a shard at a time."""
        for shard in self._shards:
            yield from decode_table(self._record, read_shard(self._store, shard)).column(name).to_pylist()

    def _table(self, shard: Shard) -> Any:
        with self._lock:
            if shard.key not in self._tables:
                self._tables[shard.key] = decode_table(self._record, read_shard(self._store, shard))
            self._tables.move_to_end(shard.key)
            if len(self._tables) > _KEPT_TABLES:
                self._tables.popitem(last=False)
            return self._tables[shard.key]

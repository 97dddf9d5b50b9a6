"""The examples that are trained on, in memory-mapped files: ten million of them cost a process no memory of their own.

The Parquet shards of a manifest are laid out once a machine as Arrow files, a shard at a time; every process maps the
same pages, and an example becomes Python objects only when a batch takes it.
"""

import fcntl
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from clsp.records import Example
from clsp.storage import ObjectStore
from clsp.storage.manifest import load_manifest, read_shard
from clsp.storage.rows import decode_table, row_maker

_DONE = "done"


class ExampleTable(Sequence[Example]):
    """Examples of Arrow files by position, in file order."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self._parts = parts
        self._starts = list(accumulate((len(part) for part in parts), initial=0))
        self._row = row_maker(Example)

    def __len__(self) -> int:
        return self._starts[-1]

    @overload
    def __getitem__(self, position: int) -> Example: ...

    @overload
    def __getitem__(self, position: slice) -> list[Example]: ...

    def __getitem__(self, position: int | slice) -> Example | list[Example]:
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(len(self)))]
        if not 0 <= position < len(self):
            raise IndexError(f"{position} is outside a table of {len(self)}")
        number = bisect_right(self._starts, position) - 1
        (values,) = self._parts[number].slice(position - self._starts[number], 1).to_pylist()
        return self._row(values)

    @property
    def durations(self) -> NDArray[np.float32]:
        """Seconds of every example."""
        columns = [part.column("duration_s").to_numpy() for part in self._parts]
        seconds: NDArray[np.float32] = np.concatenate([np.empty(0), *columns]).astype(np.float32)
        return seconds


def example_table(store: ObjectStore, manifest: str, split: str, folder: Path) -> ExampleTable:
    """The examples of one split of a manifest, laid out in ``folder`` unless they are already.

    Processes may call it at once: the first lays them out while the others wait. DataError when a shard is altered.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / _DONE).exists():
            for number, table in enumerate(_tables(store, manifest, split)):
                _write(folder / f"{number:06d}.arrow", table)
            (folder / _DONE).touch()
    return ExampleTable([_mapped(path) for path in sorted(folder.glob("*.arrow"))])


def _tables(store: ObjectStore, manifest: str, split: str) -> Iterator[Any]:
    for shard in load_manifest(store, manifest).of_kind("examples"):
        table = decode_table(Example, read_shard(store, shard))
        yield table.filter(pc.equal(table.column("split"), split)).combine_chunks()


def _write(path: Path, table: Any) -> None:
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _mapped(path: Path) -> Any:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()

"""A journal of answers that have been paid for but whose unit of work is not finished yet.

A killed worker's next self, or whoever takes its unit, asks only for what is not written here. Records are committed
in groups, a few times a second, so that a store with slow puts costs no throughput.
"""

import threading
import uuid
from collections import defaultdict
from types import TracebackType
from typing import Any, Self

import orjson

from clsp.errors import ClspError
from clsp.hashing import canonical_json
from clsp.storage.objects import ObjectStore

Record = dict[str, Any]


class Journal:
    """Records by unit under ``journal/STEP/KEY/``; a context manager, whose end writes the rest. Thread-safe."""

    def __init__(self, store: ObjectStore, step: str, key: str, seconds: float) -> None:
        """``seconds``: how long records may wait to be written together."""
        self._store = store
        self._prefix = f"journal/{step}/{key}/"
        self._seconds = seconds
        self._waiting: dict[str, list[Record]] = defaultdict(list)
        self._lock = threading.Lock()
        self._written = threading.Lock()  # held while records are on their way
        self._ending = threading.Event()
        self._error: ClspError | None = None
        self._thread = threading.Thread(target=self._write_on, name="journal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        if kind is None and self._error:
            raise self._error

    def note(self, unit: str, record: Record) -> None:
        """Take a record down; raises the store's error when earlier ones could not be written."""
        if self._error:
            raise self._error
        with self._lock:
            self._waiting[unit].append(record)

    def read(self, unit: str) -> list[Record]:
        """What was written of a unit, by this worker or another."""
        return [record for key in self._store.list(self._of(unit)) for record in orjson.loads(self._store.get(key))]

    def forget(self, unit: str) -> None:
        """The unit is committed: its records are of no more use."""
        with self._lock:
            self._waiting.pop(unit, None)
        with self._written:
            for key in list(self._store.list(self._of(unit))):
                self._store.delete(key)

    def _of(self, unit: str) -> str:
        return f"{self._prefix}{unit}/"

    def _write_on(self) -> None:
        while not self._ending.wait(self._seconds):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._written:
            with self._lock:
                batches, self._waiting = self._waiting, defaultdict(list)
            try:
                for unit, records in batches.items():
                    self._store.put_if_absent(f"{self._of(unit)}{uuid.uuid4().hex}.json", canonical_json(records))
            except ClspError as error:
                self._error = error

"""The ledger of done work: which units of a step are finished, so that a restart repeats none of them.

A unit is done when its record was committed by put-if-absent; two workers may race and one of them wins. The ledger
of a step is named by the step's key, so another recipe has another ledger.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import orjson
from pydantic import JsonValue

from clsp.hashing import canonical_json
from clsp.metrics import count_rows
from clsp.progress import Progress
from clsp.storage.objects import ObjectStore

Unit = TypeVar("Unit")
UnitResult = dict[str, JsonValue]
_READERS = 16


@dataclass(frozen=True)
class Share:
    """What worker ``rank`` of ``size`` does: every ``size``-th unit, so that long and short ones spread evenly."""

    rank: int = 0
    size: int = 1

    def of(self, units: Sequence[Unit]) -> list[Unit]:
        """The units of this worker."""
        return list(units[self.rank :: self.size])


class Ledger:
    """Finished units of one step under ``ledger/STEP/KEY/``."""

    def __init__(self, store: ObjectStore, step: str, key: str) -> None:
        self._store = store
        self.step, self.key = step, key
        self._prefix = f"ledger/{step}/{key}/"

    def finished(self) -> set[str]:
        """Names of the units that are done."""
        return {key[len(self._prefix) : -len(".json")] for key in self._store.list(self._prefix)}

    def done(self, among: Iterable[str] | None = None) -> dict[str, UnitResult]:
        """Results by unit name; of all units that are done, or of those ``among`` these names."""
        finished = self.finished()
        names = finished if among is None else finished.intersection(among)
        ordered = sorted(names)
        with ThreadPoolExecutor(_READERS) as pool:  # thousands of small objects, each a round trip away
            return dict(zip(ordered, pool.map(self._read, ordered), strict=True))

    def has(self, unit: str) -> bool:
        """Whether the unit is done."""
        return self._store.exists(f"{self._prefix}{unit}.json")

    def record(self, unit: str, result: UnitResult) -> UnitResult:
        """Commit a unit's result; returns the result that counts, which is another worker's if that was first."""
        key = f"{self._prefix}{unit}.json"
        if self._store.put_if_absent(key, canonical_json(result)):
            return result
        return self._read(unit)

    def forget(self, unit: str) -> None:
        """Have the unit done again."""
        self._store.delete(f"{self._prefix}{unit}.json")

    def _read(self, unit: str) -> UnitResult:
        result: UnitResult = orjson.loads(self._store.get(f"{self._prefix}{unit}.json"))
        return result

    def complete(
        self,
        units: Iterable[tuple[str, Unit]],
        work: Callable[[Unit], UnitResult],
        progress: Progress,
        workers: int = 1,
    ) -> list[UnitResult]:
        """Do every unit that is not done yet and return all results in the order of ``units``."""
        named = list(units)
        results = self.done(name for name, _ in named)
        progress.resume(sum(name in results for name, _ in named))

        def do(item: tuple[str, Unit]) -> None:
            name, unit = item
            results[name] = self.record(name, work(unit))
            count_rows(progress.name, results[name])
            progress.advance()

        todo = [item for item in named if item[0] not in results]
        if workers <= 1:
            for item in todo:
                do(item)
        else:
            with ThreadPoolExecutor(workers) as pool:
                for future in [pool.submit(do, item) for item in todo]:
                    future.result()
        return [results[name] for name, _ in named]

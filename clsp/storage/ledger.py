"""The ledger of done work: which units of a step are finished, so that a restart repeats none of them.

A unit is done when its record was committed by put-if-absent; two workers may race and one of them wins. The ledger
of a step is named by the step's key, so another recipe has another ledger.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import orjson
from pydantic import JsonValue

from clsp.hashing import canonical_json
from clsp.metrics import count_rows
from clsp.progress import Progress
from clsp.storage.objects import ObjectStore

Unit = TypeVar("Unit")
UnitResult = dict[str, JsonValue]


class Ledger:
    """Finished units of one step under ``ledger/STEP/KEY/``."""

    def __init__(self, store: ObjectStore, step: str, key: str) -> None:
        self._store = store
        self._prefix = f"ledger/{step}/{key}/"

    def done(self) -> dict[str, UnitResult]:
        """Results by unit name."""
        keys = list(self._store.list(self._prefix))
        return {key[len(self._prefix) : -len(".json")]: orjson.loads(self._store.get(key)) for key in keys}

    def record(self, unit: str, result: UnitResult) -> UnitResult:
        """Commit a unit's result; returns the result that counts, which is another worker's if that was first."""
        key = f"{self._prefix}{unit}.json"
        if self._store.put_if_absent(key, canonical_json(result)):
            return result
        winner: UnitResult = orjson.loads(self._store.get(key))
        return winner

    def complete(
        self,
        units: Iterable[tuple[str, Unit]],
        work: Callable[[Unit], UnitResult],
        progress: Progress,
        workers: int = 1,
    ) -> list[UnitResult]:
        """Do every unit that is not done yet and return all results in the order of ``units``."""
        named = list(units)
        results = self.done()
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

"""Getting all units of a step done by one worker or several: its own first, then those that nobody is at.

Several units are open at once, so that the end of one does not leave the endpoint idle. What others are at a worker
waits for, and takes over when they fall silent.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from clsp.metrics import count_rows
from clsp.progress import Progress
from clsp.storage.claims import Claims
from clsp.storage.journal import Journal
from clsp.storage.ledger import Ledger, Share, UnitResult

Unit = tuple[str, Any]
Do = Callable[[str, Any], UnitResult]


@dataclass
class Crew:
    """One worker: ``open_units`` units are worked at together, and the others' doings looked at now and then."""

    ledger: Ledger
    claims: Claims
    journal: Journal
    share: Share
    open_units: int
    look_seconds: float
    _finished: set[str] = field(default_factory=set)
    _looked: float = 0.0

    def complete(self, units: Sequence[Unit], do: Do, client: AbstractContextManager[Any], progress: Progress) -> None:
        """Return when every unit is done, whoever did it; the first error of a unit ends it.

        ``client`` is open meanwhile; leaving it lets what is in flight end and open units give up.
        """
        self._finished = self.ledger.finished()
        progress.resume(len(self._finished))
        with self.journal, self.claims, ThreadPoolExecutor(self.open_units) as pool, client:
            self._work(deque(self.in_turn(units)), lambda unit: pool.submit(self._do, unit, do, progress), progress)
        if self.share.size > 1:
            self.claims.sweep()

    def in_turn(self, units: Sequence[Unit]) -> list[Unit]:
        """What is not done yet: this worker's own units, then all others, from the end of what their workers do."""
        own = self.share.of(units)
        names = {name for name, _ in own}
        others = [unit for unit in reversed(units) if unit[0] not in names]
        return [unit for unit in [*own, *others] if unit[0] not in self._finished]

    def _work(self, queue: deque[Unit], submit: Callable[[Unit], Future[str]], progress: Progress) -> None:
        running: set[Future[str]] = set()
        taken: list[Unit] = []  # by others, who are alive
        while queue or taken or running:
            if queue and len(running) < self.open_units:
                unit = queue.popleft()
                if unit[0] in self._finished:
                    continue
                if self.claims.take(unit[0]):
                    running.add(submit(unit))
                else:
                    taken.append(unit)
                continue
            running = self._settle(running)
            if self._look():
                queue.extend(taken)
                taken = []
            progress.advance(len(self._finished) - progress.done)

    def _settle(self, running: Iterable[Future[str]]) -> set[Future[str]]:
        if not running:
            time.sleep(self.look_seconds)  # a store cannot be waited for
            return set()
        done, others = wait(running, self.look_seconds, FIRST_COMPLETED)
        self._finished.update(future.result() for future in done)
        return others

    def _look(self) -> bool:
        """See what others have done, when that is due."""
        if self.share.size == 1 or time.monotonic() - self._looked < self.look_seconds:
            return False
        self._looked = time.monotonic()
        self._finished |= self.ledger.finished()
        self.claims.observe()
        return True

    def _do(self, unit: Unit, do: Do, progress: Progress) -> str:
        name, rows = unit
        if self.share.size == 1 or not self.ledger.has(name):
            count_rows(progress.name, self.ledger.record(name, do(name, rows)))
        self.journal.forget(name)
        return name

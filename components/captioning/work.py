"""A step's work against a chat endpoint, in units: the same here, in a worker pod, and in the step that adds up.

A step that captions or judges is made into ``Work`` by one function of its own module, from its settings and parents
alone, so that every process of it plans the same units.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from clsp.captions.units import Units, Workplace
from clsp.config import EndpointSettings
from clsp.errors import EndpointError
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger, Share, UnitResult
from clsp.storage.manifest import Recipe
from clsp.storage.steps import Outcome
from components.describer.embedded import open_endpoints

WHOLE = Share()


@dataclass(frozen=True)
class Work:
    """``plan`` gives the units, ``complete`` sees to it that all are done, ``outcome`` adds their results up.

    ``settings`` and ``parents`` are what it was made from, for the command line of a worker.
    """

    recipe: Recipe
    settings: str
    parents: tuple[str, ...]
    endpoint: EndpointSettings
    key_variable: str
    plan: Callable[[ObjectStore], Units]
    complete: Callable[[Workplace], None]
    outcome: Callable[[Iterable[UnitResult]], Outcome]


def do_here(work: Work, store: ObjectStore, ledger: Ledger, share: Share = WHOLE) -> None:
    """Do the work in this process: its share of the units, then what the other workers leave."""
    with _ending_tidily(), open_endpoints(work.endpoint, work.key_variable) as connections:
        work.complete(Workplace(store, ledger, connections, share))


@contextmanager
def _ending_tidily() -> Iterator[None]:
    """SIGTERM unwinds what is open: answers in flight are waited for and written down, claims are handed back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def add_up(work: Work, store: ObjectStore, ledger: Ledger) -> Outcome:
    """The outcome of work that others have done; ``EndpointError`` when some of it is not."""
    names = [name for name, _ in work.plan(store)]
    results = ledger.done(names)
    if missing := [name for name in names if name not in results]:
        raise EndpointError(
            f"{len(missing)} of {len(names)} units were not done, first {missing[0]}",
            hint="run again: finished units are kept",
        )
    return work.outcome(results[name] for name in names)

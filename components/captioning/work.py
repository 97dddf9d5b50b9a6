"""A step's work against a chat endpoint, in units: the same here, in a worker pod, and in the step that adds up.

A step that captions or judges is made into ``Work`` by one function of its own module, from its settings and parents
alone, so that every process of it plans the same units.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from clsp.captions.connection import Connection
from clsp.captions.sums import Units
from clsp.config import EndpointSettings
from clsp.errors import EndpointError
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger, Share, UnitResult
from clsp.storage.manifest import Recipe
from clsp.storage.steps import Outcome
from components.describer.embedded import open_endpoint

WHOLE = Share()
Complete = Callable[[ObjectStore, Ledger, Units[Any], Connection], list[UnitResult]]


@dataclass(frozen=True)
class Work:
    """``plan`` gives the units, ``complete`` does those that are not done, ``outcome`` adds their results up.

    ``settings`` and ``parents`` are what it was made from, for the command line of a worker.
    """

    recipe: Recipe
    settings: str
    parents: tuple[str, ...]
    endpoint: EndpointSettings
    key_variable: str
    plan: Callable[[ObjectStore], Units[Any]]
    complete: Complete
    outcome: Callable[[Iterable[UnitResult]], Outcome]


def do_here(work: Work, store: ObjectStore, ledger: Ledger, share: Share = WHOLE) -> list[UnitResult]:
    """Do a share of the work in this process."""
    units = share.of(work.plan(store))
    with open_endpoint(work.endpoint, work.key_variable) as connection:
        return work.complete(store, ledger, units, connection)


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

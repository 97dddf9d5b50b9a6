"""Units of work against a chat endpoint: how rows are divided, and how a worker gets them done."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from clsp.captions.budget import step_budget
from clsp.captions.client import ChatClient
from clsp.captions.connection import Connection
from clsp.captions.crew import Crew, Do, Unit
from clsp.captions.hearing import Hearing
from clsp.config.captions import EndpointSettings, WorkerSettings
from clsp.progress import Progress
from clsp.storage.claims import Claims
from clsp.storage.journal import Journal
from clsp.storage.ledger import Ledger, Share
from clsp.storage.objects import ObjectStore

Units = list[Unit]  # name, and which rows they are
Stretch = tuple[int, int]  # rows from … to before
_UNITS, _LEAST_ROWS, _MOST_ROWS = 1000, 16, 1024
_LEAST_OPEN, _MOST_OPEN = 2, 32


@dataclass(frozen=True)
class Workplace:
    """Where a worker works: the store and ledger, the endpoints it asks, and its place among the workers."""

    store: ObjectStore
    ledger: Ledger
    connections: tuple[Connection, ...]
    share: Share


@dataclass(frozen=True)
class Task:
    """What is to be done: ``rows`` answers are asked for in ``units``."""

    units: Units
    rows: int
    endpoint: EndpointSettings
    workers: WorkerSettings


def stretches(rows: int, each: int = 0) -> Units:
    """Stretches of ``each`` rows under numbered names; 0 makes about a thousand units, none tiny and none huge.

    Small units spread over workers; large ones keep shards large and the ledger of 10^7 rows short.
    """
    each = each or max(_LEAST_ROWS, min(_MOST_ROWS, ceil(rows / _UNITS)))
    return [(f"{number:06d}", (start, min(start + each, rows))) for number, start in enumerate(range(0, rows, each))]


def work_off(place: Workplace, task: Task, make: Callable[[Hearing], Do]) -> None:
    """Return when all units are done, by this worker or others; ``make`` gives what does one.

    Raises ``EndpointError`` when too many rows fail or no endpoint is there; done units stay done.
    """
    ledger, workers, share = place.ledger, task.workers, place.share
    done = ledger.done(name for name, _ in task.units)
    urls = ", ".join(connection.url for connection in place.connections)
    budget = step_budget(urls, task.endpoint, task.rows, done.values())
    client = ChatClient(place.connections, task.endpoint, budget)
    journal = Journal(place.store, ledger.step, ledger.key, workers.journal_seconds)
    claims = Claims(place.store, ledger, share, workers.beat_seconds, workers.silent_seconds)
    crew = Crew(ledger, claims, journal, share, _open_units(task, len(place.connections)), workers.beat_seconds)
    with Progress(ledger.step, len(task.units), "units") as progress:
        crew.complete(task.units, make(Hearing(client, journal, budget)), client, progress)


def _open_units(task: Task, endpoints: int) -> int:
    """So many that the requests of the open units fill all endpoints twice."""
    each = max(1, task.rows // max(1, len(task.units)))
    return max(_LEAST_OPEN, min(_MOST_OPEN, ceil(2 * task.endpoint.concurrency * endpoints / each)))

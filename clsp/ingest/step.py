"""The body of ingest: units of recordings through the ledger, then what only the whole can say."""

from clsp.config import IngestSettings
from clsp.ingest.assembly import assemble
from clsp.ingest.intake import Intake
from clsp.ingest.pieces import STEP
from clsp.ingest.units import make_units, unit_worker
from clsp.progress import Progress
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger
from clsp.storage.steps import Outcome


def ingest(store: ObjectStore, ledger: Ledger, intake: Intake, settings: IngestSettings) -> Outcome:
    """Segments with their audio, and a counted reason for every row that did not become one."""
    units = make_units(intake.listing.files, settings)
    work = unit_worker(intake.source, store, settings)
    with Progress(STEP, len(units), "units") as progress:
        results = ledger.complete(units, work, progress, settings.threads)
    return assemble(store, results, intake, settings)

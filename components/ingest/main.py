"""What the ingest step runs: recordings in, segments out."""

from clsp.config import IngestSettings, parse_settings
from clsp.ingest.intake import ingest_recipe, open_intake
from clsp.ingest.step import ingest
from components.runner import execute, step_entry


@step_entry("ingest")
def run(*, store: str, run_id: str, settings: str, source: str, metadata: str = "") -> str:
    """Ingest the recordings under ``source`` (folder, ``file://`` or ``s3://``); returns the manifest's name."""
    chosen = parse_settings(IngestSettings, settings)
    intake = open_intake(source, metadata, chosen)
    recipe = ingest_recipe(intake, chosen)
    return execute(store, run_id, recipe, (), lambda opened, ledger: ingest(opened, ledger, intake, chosen))

"""What is to be ingested: recordings found and hashed, metadata read. It names the work before any of it is done."""

from dataclasses import dataclass

from pydantic import JsonValue

from clsp.config import IngestSettings
from clsp.hashing import digest
from clsp.ingest.metadata import Entry, fetch_metadata, parse_metadata
from clsp.ingest.pieces import STEP
from clsp.ingest.sources import Listing, Source, list_recordings, open_source
from clsp.storage.manifest import Recipe
from clsp.storage.steps import make_recipe


@dataclass(frozen=True)
class Intake:
    """The whole input of the step."""

    source: Source
    listing: Listing
    metadata: tuple[Entry, ...] = ()
    metadata_sha256: str = ""


def open_intake(uri: str, metadata: str, settings: IngestSettings) -> Intake:
    """List the recordings at ``uri`` and read the metadata (a path or address; '' takes the table beside them)."""
    source = open_source(uri)
    listing = list_recordings(source, settings.extensions, settings.threads)
    name = metadata or listing.metadata
    if not name:
        return Intake(source, listing)
    data = fetch_metadata(metadata) if metadata else _read(source, name)
    return Intake(source, listing, tuple(parse_metadata(data, name)), digest(data))


def _read(source: Source, name: str) -> bytes:
    with source.local(name) as path:
        return path.read_bytes()


def ingest_recipe(intake: Intake, settings: IngestSettings) -> Recipe:
    """The recipe: the settings that matter and the content, not the place, of recordings and metadata."""
    content: dict[str, JsonValue] = {"source": intake.listing.sha256, "metadata": intake.metadata_sha256}
    return make_recipe(STEP, {**settings.decisive(), **content})

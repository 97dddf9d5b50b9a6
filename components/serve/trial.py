"""The serve step on this machine: a registered version must answer through its own server as it does in memory."""

from clsp.config import ServeSettings
from clsp.storage import ObjectStore
from clsp.storage.manifest import Manifest
from clsp.storage.steps import Outcome
from components.serve.probe import make_probe, version_uri
from serving.client import EmbeddingClient
from serving.launch import running_server


def try_version(store: ObjectStore, settings: ServeSettings, version: Manifest) -> Outcome:
    """Serve a version, ask for one text and one sound, and stop the server; ``EndpointError`` when that fails."""
    with running_server(version_uri(store, version), settings) as place, EmbeddingClient(place.url) as client:
        probe = make_probe(store, settings, version)
        probe.check_text(client)
        probe.check_speech(client)
    return probe.outcome()

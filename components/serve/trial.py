"""The body of the serve step: a registered version must answer through its own server as it does in memory."""

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from clsp.config import ServeSettings
from clsp.data.clips import decode_flac
from clsp.errors import DataError, EndpointError
from clsp.model.loading import load_for_serving
from clsp.records import Example
from clsp.storage import ObjectStore
from clsp.storage.audio_shards import ByteRange, read_sound
from clsp.storage.manifest import Counts, load_manifest, read_rows
from clsp.storage.steps import Outcome
from serving.client import EmbeddingClient
from serving.launch import running_server

TOLERANCE = 1e-4  # what every protocol promises (design section 4)


def try_version(store: ObjectStore, settings: ServeSettings, version: str) -> Outcome:
    """Serve the version of manifest ``version``, ask for one text and one sound, and stop the server.

    ``EndpointError`` when an answer is not of unit norm or not what the model gives in this process.
    """
    manifest = load_manifest(store, version)
    uri = f"{store.uri}/{manifest.info['uri']}"
    text, sound = _probe(store, manifest.parents[0])
    with running_server(uri, settings) as place, EmbeddingClient(place.url) as client:
        served = np.concatenate([client.embed_texts([text]), client.embed_audio([sound])])
    model = load_for_serving(uri, settings.device, settings.dtype, settings)
    vectors = [model.encode_text([text]).numpy(), model.encode_speech([decode_flac(sound, "probe")]).numpy()]
    _compare(served, np.concatenate(vectors))
    info: dict[str, JsonValue] = {
        "version": model.identity.version,
        "dimension": model.dimension,
        "cosine": round(float(served[0] @ served[1]), 3),
        "text": text,
    }
    return Outcome("", (), Counts(unit="embeddings", rows_in=2, accepted=2), info)


def _probe(store: ObjectStore, examples: str) -> tuple[str, bytes]:
    """The first held-out example's caption and sound."""
    rows = [row for row in read_rows(store, load_manifest(store, examples), "examples", Example) if _captions(row)]
    if not rows:
        raise DataError("no example has a caption", hint="look at the verify step's counts")
    row = min(rows, key=lambda row: (row.split != "test", row.segment_id))
    return _captions(row)[0], read_sound(store, ByteRange(row.audio_key, row.audio_offset, row.audio_length))


def _captions(row: Example) -> tuple[str, ...]:
    return row.fine + row.overall


def _compare(served: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    norms = np.linalg.norm(served, axis=1)
    if np.abs(norms - 1).max() > TOLERANCE or np.abs(served - expected).max() > TOLERANCE:
        raise EndpointError(
            f"served vectors differ from the model's by {np.abs(served - expected).max():.2g}",
            hint="server and step must run the same release; see serve.dtype and serve.device",
        )

"""What a server of a version must answer: one caption and one sound of the data, with the model's own vectors."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from clsp.audio.decode import decode
from clsp.config import ServeSettings
from clsp.data.clips import decode_flac
from clsp.errors import DataError, EndpointError
from clsp.model.loading import load_for_serving
from clsp.records import Example
from clsp.storage import ObjectStore
from clsp.storage.audio_shards import ByteRange, read_sound
from clsp.storage.manifest import Counts, Manifest, load_manifest, read_rows
from clsp.storage.steps import Outcome
from serving.client import EmbeddingClient
from serving.probe import TEXT, tone

TOLERANCE = 1e-4  # what every protocol promises (design section 4)


@dataclass(frozen=True)
class Probe:
    """``text`` and ``sound`` (FLAC) with the (2, D) vectors that the model itself gives for them."""

    version: str
    sha256: str
    text: str
    sound: bytes
    expected: NDArray[np.float32]

    def check_text(self, client: EmbeddingClient) -> None:
        """``EndpointError`` unless the server embeds the text as the model does."""
        _refuse_far(self.text_distance(client))

    def check_speech(self, client: EmbeddingClient) -> None:
        """``EndpointError`` unless the server embeds the sound as the model does."""
        _refuse_far(self.speech_distance(client))

    def text_distance(self, client: EmbeddingClient) -> float:
        """The most that a coordinate of the text's vector differs from the model's own."""
        return _distance(client.embed_texts([self.text]), self.expected[:1])

    def speech_distance(self, client: EmbeddingClient) -> float:
        """The same for the sound."""
        return _distance(client.embed_audio([self.sound]), self.expected[1:])

    def outcome(self) -> Outcome:
        """What the step hands over once both checks have passed."""
        info: dict[str, JsonValue] = {
            "version": self.version,
            "dimension": self.expected.shape[1],
            "cosine": round(float(self.expected[0] @ self.expected[1]), 3),
            "text": self.text,
        }
        return Outcome("", (), Counts(unit="embeddings", rows_in=2, accepted=2), info)


def _distance(served: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    return float(np.abs(served - expected).max()) if served.shape == expected.shape else float("inf")


def _refuse_far(distance: float) -> None:
    if not distance <= TOLERANCE:
        raise EndpointError(
            f"served vectors differ from the model's by {distance:.2g}",
            hint="server and step must run the same release; see serve.dtype and serve.device",
        )


def version_uri(store: ObjectStore, version: Manifest) -> str:
    """Where the version of a register step's manifest is."""
    return f"{store.uri}/{version.info['uri']}"


def make_probe(store: ObjectStore, settings: ServeSettings, version: Manifest) -> Probe:
    """The probe of a version, from the first held-out example that has a caption."""
    text, sound = _example(store, version.parents[0])
    model = load_for_serving(version_uri(store, version), settings.device, settings.dtype, settings)
    vectors = [model.encode_text([text]).numpy(), model.encode_speech([decode_flac(sound, "probe")]).numpy()]
    return Probe(model.identity.version, model.identity.sha256, text, sound, np.concatenate(vectors))


def plain_probe(uri: str, settings: ServeSettings) -> Probe:
    """The probe of a version of which no data is at hand: a description, and a tone."""
    model = load_for_serving(uri, settings.device, settings.dtype, settings)
    sound = tone()
    decoded = torch.from_numpy(decode(sound).samples)
    vectors = [model.encode_text([TEXT]).numpy(), model.encode_speech([decoded]).numpy()]
    return Probe(model.identity.version, model.identity.sha256, TEXT, sound, np.concatenate(vectors))


def _example(store: ObjectStore, examples: str) -> tuple[str, bytes]:
    rows = [row for row in read_rows(store, load_manifest(store, examples), "examples", Example) if _captions(row)]
    if not rows:
        raise DataError("no example has a caption", hint="look at the verify step's counts")
    row = min(rows, key=lambda row: (row.split != "test", row.segment_id))
    return _captions(row)[0], read_sound(store, ByteRange(row.audio_key, row.audio_offset, row.audio_length))


def _captions(row: Example) -> tuple[str, ...]:
    return row.fine + row.overall

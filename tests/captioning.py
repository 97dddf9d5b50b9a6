"""Small clips in a store, and describers with faults, for the tests of captions and of the steps around them."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import soundfile

from clsp.config import EndpointSettings
from clsp.hashing import digest
from clsp.records import Segment
from clsp.storage import ObjectStore
from clsp.storage.audio_shards import Sound, save_audio
from clsp.storage.manifest import Counts, Manifest, save_manifest, save_rows
from clsp.storage.steps import make_recipe
from components.describer.faults import parse_fault
from components.describer.server import DescriberServer, Service

RATE = 16_000
QUICK = {
    "attempts": 2, "backoff_seconds": 0.001, "max_wait_seconds": 0.01, "timeout_seconds": 20.0,
    "first_answer_seconds": 0.2, "outage_seconds": 0.5, "grace_seconds": 2.0,
}  # fmt: skip


def voice(hertz: float, seconds: float = 1.2) -> np.ndarray:
    """A buzzing tone that swells four times a second, as speech does."""
    time = np.arange(round(seconds * RATE)) / RATE
    pulses = sum(np.sin(2 * np.pi * hertz * order * time) / order for order in range(1, 8))
    return (0.2 * pulses * (0.55 - 0.45 * np.cos(2 * np.pi * 4 * time))).astype(np.float32)


def flac(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def wav(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def make_segment(**changes) -> Segment:
    """A segment whose fields are plain, but for ``changes``."""
    fields = {
        "id": "s0", "source": "s0.wav", "start_s": 0.0, "duration_s": 1.2, "split": "train", "speaker": "ann",
        "gender": "", "accent": "", "language": "en", "transcript": "", "licence": "CC0-1.0", "tags": {},
        "audio_key": "", "audio_offset": 0, "audio_length": 0,
    }  # fmt: skip
    return Segment(**{**fields, **changes})


def save_clips(store: ObjectStore, sounds: list[bytes], **changes) -> str:
    """Name of a manifest of segments over these FLAC files."""
    named = [Sound(digest(data), data, {}) for data in sounds]
    audio, places = save_audio(store, named)
    segments = [
        make_segment(id=sound.id, audio_key=place.key, audio_offset=place.offset, audio_length=place.length, **changes)
        for sound, place in zip(named, places, strict=True)
    ]
    rows = save_rows(store, "segments", Segment, segments)
    counts = Counts(unit="segments", rows_in=len(segments), accepted=len(segments))
    manifest = Manifest(
        record="segments", recipe=make_recipe("ingest", {}), parents=(), shards=(rows, audio), counts=counts
    )
    return save_manifest(store, manifest)


def save_voices(store: ObjectStore, count: int, **changes) -> str:
    """Name of a manifest of ``count`` different voices."""
    return save_clips(store, [flac(voice(90 + 20 * number)) for number in range(count)], **changes)


@contextmanager
def describer(*faults: str, key: str = "") -> Iterator[str]:
    """The URL of a describer in a thread of this process, with these faults."""
    with describing(*faults, key=key) as server:
        yield server.url


@contextmanager
def describing(*faults: str, key: str = "") -> Iterator[DescriberServer]:
    """A describer in a thread of this process, with these faults; its ``trouble`` counts requests."""
    server = Service(key=key, faults=tuple(parse_fault(fault) for fault in faults)).start("127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def quick_endpoint(url: str, **changes) -> EndpointSettings:
    """Settings of an endpoint that is asked with little patience."""
    return EndpointSettings(url=url, **{**QUICK, **changes})

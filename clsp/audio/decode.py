"""Any recording to mono float samples at its own rate, a block at a time.

Ingest and serving take sound from strangers through this one door: what cannot be used is refused by a name that
can be counted, nothing is believed that a header says, and memory stays one block whatever the length.
"""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from clsp.audio import codecs
from clsp.audio.containers import HEAD_BYTES, declares_more, name_container
from clsp.errors import DataError

Samples = NDArray[np.float32]
Reason = Literal[
    "empty_file", "not_audio", "damaged", "truncated", "too_long", "nan_samples", "sampling_rate", "unreadable"
]

HINTS: dict[Reason, str] = {
    "empty_file": "the file has no bytes: copy it again",
    "not_audio": "give wav, flac, mp3, ogg, opus or m4a",
    "damaged": "the file starts like a recording but cannot be opened: copy it again",
    "truncated": "the file cannot be decoded to its end: copy it again",
    "too_long": "cut it into shorter files or raise the limit",
    "nan_samples": "samples are not numbers: write the file again from its source",
    "sampling_rate": "convert it to a rate between 4 and 768 kHz",
    "unreadable": "check that the file exists and its permissions",
}


class DecodeError(DataError):
    """A recording that cannot be used; ``reason`` is the name it is counted by."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}", hint=HINTS[reason])
        self.reason: Reason = reason
        self.detail = detail


@dataclass(frozen=True)
class DecodeLimits:
    """What a recording may ask for: its length, and the sampling rates that make sense (samples a second)."""

    max_seconds: float = 6 * 3600.0
    min_rate: int = 4_000
    max_rate: int = 768_000


@dataclass(frozen=True)
class Sound:
    """A whole decoded recording: (n,) float32 mono samples, its own sampling rate, how many channels it had."""

    samples: Samples
    sampling_rate: int
    channels: int


@dataclass(frozen=True)
class SoundStream:
    """A recording being decoded: ``blocks`` yields (n,) float32 mono samples and may raise ``DecodeError``."""

    sampling_rate: int
    channels: int
    blocks: Iterator[Samples]


def decode(source: Path | bytes, *, limits: DecodeLimits | None = None) -> Sound:
    """Decode all of ``source`` (a file or its bytes); the channels are averaged. Raises ``DecodeError``."""
    with open_sound(source, limits=limits) as stream:
        blocks = list(stream.blocks)
    samples = np.concatenate(blocks) if blocks else np.zeros(0, np.float32)
    return Sound(samples, stream.sampling_rate, stream.channels)


@contextmanager
def open_sound(source: Path | bytes, *, limits: DecodeLimits | None = None) -> Iterator[SoundStream]:
    """Open ``source`` for decoding block by block. Raises ``DecodeError``, also while the blocks are read."""
    limits = limits or DecodeLimits()
    with _opened(source) as file, ExitStack() as stack:
        raw = _enter(stack, file)
        if not limits.min_rate <= raw.sampling_rate <= limits.max_rate:
            raise DecodeError("sampling_rate", f"{raw.sampling_rate} samples a second")
        if raw.promised_seconds > limits.max_seconds:
            raise _too_long(limits)
        yield SoundStream(raw.sampling_rate, raw.channels, _checked(raw, limits))


@contextmanager
def _opened(source: Path | bytes) -> Iterator[BinaryIO]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise DecodeError("unreadable", error.strerror or type(error).__name__) from error
    with file:
        yield file


def _enter(stack: ExitStack, file: BinaryIO) -> codecs.RawSound:
    """Open ``file`` by what its first bytes say; raises when it is empty, unknown or shorter than it says."""
    head, size = _head(file)
    if size == 0:
        raise DecodeError("empty_file", "no bytes")
    container = name_container(head)
    if container is None:
        raise DecodeError("not_audio", "no known sound format starts like this")
    if declares_more(head, size):
        raise DecodeError("truncated", f"{size} bytes of the {int.from_bytes(head[4:8], 'little') + 8} promised")
    try:
        return codecs.open_raw(stack, container, file)
    except codecs.NoTrackError as error:
        raise DecodeError("not_audio", "it has no audio track") from error
    except codecs.UndecodableError as error:
        raise DecodeError("damaged", str(error)) from error


def _head(file: BinaryIO) -> tuple[bytes, int]:
    try:
        head = file.read(HEAD_BYTES)
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
    except OSError as error:
        raise DecodeError("unreadable", error.strerror or type(error).__name__) from error
    return head, size


def _too_long(limits: DecodeLimits) -> DecodeError:
    return DecodeError("too_long", f"longer than {limits.max_seconds:g} s")


def _checked(raw: codecs.RawSound, limits: DecodeLimits) -> Iterator[Samples]:
    """Mono blocks of ``raw``, refused as soon as they are too long or not finite, and when they break off."""
    count, most = 0, limits.max_seconds * raw.sampling_rate
    try:
        for block in raw.blocks:
            mono = _mono(block)
            count += len(mono)
            if count > most:
                raise _too_long(limits)
            if not np.isfinite(mono).all():
                raise DecodeError("nan_samples", f"within the first {count / raw.sampling_rate:.1f} s")
            yield mono
    except codecs.UndecodableError as error:
        raise DecodeError("truncated", f"after {count / raw.sampling_rate:.1f} s: {error}") from error
    if count < raw.least_frames:
        raise DecodeError("truncated", f"{count} of {raw.least_frames} samples")


def _mono(block: NDArray[Any]) -> Samples:
    """(n, channels) to (n,); a value too large for float32 becomes infinite and is refused like one."""
    total = block[:, 0].copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for channel in range(1, block.shape[1]):  # several times faster than a mean over so short an axis
            total += block[:, channel]
        return np.asarray(total / np.float32(block.shape[1]), np.float32)

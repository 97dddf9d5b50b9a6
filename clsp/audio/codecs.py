"""The two libraries that know codecs, behind one face: libsndfile where it can, FFmpeg for the rest.

Their errors come out as ``UndecodableError`` and nothing else does, whatever the bytes were.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, BinaryIO

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

from clsp.audio.containers import Container

_BLOCK_SAMPLES = 1 << 17
_UNKNOWN_FRAMES = 1 << 62
_SNDFILE: frozenset[Container] = frozenset({"wav", "flac", "ogg", "mp3"})
_DEMUXERS: dict[Container, str] = {
    "wav": "wav", "flac": "flac", "ogg": "ogg", "mp3": "mp3", "mp4": "mov", "aac": "aac", "matroska": "matroska",
}  # fmt: skip
# FFmpeg reports damage through its own errors, and hostile headers through whatever Python type fits them.
_FFMPEG_ERRORS = (
    av.FFmpegError, ValueError, TypeError, ArithmeticError, LookupError, RuntimeError, OSError, MemoryError,
)  # fmt: skip
_SNDFILE_ERRORS = (soundfile.SoundFileError, ValueError, RuntimeError, OSError, MemoryError)


class UndecodableError(Exception):
    """Neither library can make sound of these bytes."""


class NoTrackError(UndecodableError):
    """The bytes are a film without sound, or another container that holds none."""


@dataclass(frozen=True)
class RawSound:
    """Sound as a codec gives it: blocks (n, channels) float32. ``promised_seconds`` is what the header claims;
    fewer than ``least_frames`` samples mean that the file breaks off (0 when the format cannot say)."""

    sampling_rate: int
    channels: int
    promised_seconds: float
    least_frames: int
    blocks: Iterator[NDArray[np.float32]]


def open_raw(stack: ExitStack, container: Container, file: BinaryIO) -> RawSound:
    """Open ``file``, which starts as ``container`` does, until ``stack`` closes.

    Raises ``UndecodableError``, and so do the blocks while they are read.
    """
    if container in _SNDFILE:
        try:
            return _read_sndfile(stack, container, file)
        except (*_SNDFILE_ERRORS, UndecodableError):
            file.seek(0)
    return _read_ffmpeg(stack, container, file)


def _read_sndfile(stack: ExitStack, container: Container, file: BinaryIO) -> RawSound:
    # libsndfile reads a named file without a call back into Python for every few bytes.
    named = file.name if isinstance(getattr(file, "name", None), str) else file
    sound = stack.enter_context(soundfile.SoundFile(named))
    frames = sound.frames
    if not 0 <= frames < _UNKNOWN_FRAMES or (container == "ogg" and frames == 0):
        raise UndecodableError("libsndfile cannot read what does not say its length")
    return RawSound(
        sampling_rate=sound.samplerate,
        channels=sound.channels,
        promised_seconds=frames / max(sound.samplerate, 1),
        least_frames=frames if container == "flac" else 0,
        blocks=_sndfile_blocks(sound),
    )


def _sndfile_blocks(sound: Any) -> Iterator[NDArray[np.float32]]:
    frames = max(1, _BLOCK_SAMPLES // sound.channels)
    try:
        while len(block := sound.read(frames, dtype="float32", always_2d=True)):
            yield block
    except _SNDFILE_ERRORS as error:
        raise UndecodableError(str(error)) from error


def _read_ffmpeg(stack: ExitStack, container: Container, file: BinaryIO) -> RawSound:
    try:
        opened = stack.enter_context(av.open(file, mode="r", format=_DEMUXERS[container]))
        if not opened.streams.audio:
            raise NoTrackError
        track = opened.streams.audio[0]
        if track.codec_context is None:
            raise UndecodableError("a codec that FFmpeg does not know")
        promised = float(track.duration * track.time_base) if track.duration and track.time_base else 0.0
        rate, channels = int(track.rate), int(track.channels)
    except _FFMPEG_ERRORS as error:
        raise UndecodableError(type(error).__name__) from error
    # FFmpeg's durations are rounded and include the encoder's padding: allow for a tenth before crying theft.
    least = int(0.9 * promised * rate) - rate if container == "mp4" else 0
    return RawSound(rate, channels, promised, max(0, least), _ffmpeg_blocks(opened, track, rate))


def _ffmpeg_blocks(opened: Any, track: Any, rate: int) -> Iterator[NDArray[np.float32]]:
    try:
        to_float = av.AudioResampler(format="fltp", layout=track.layout, rate=rate)
        for frame in opened.decode(track):
            for part in to_float.resample(frame):
                yield np.ascontiguousarray(part.to_ndarray().T, dtype=np.float32)
        for part in to_float.resample(None):
            yield np.ascontiguousarray(part.to_ndarray().T, dtype=np.float32)
    except _FFMPEG_ERRORS as error:
        raise UndecodableError(type(error).__name__) from error

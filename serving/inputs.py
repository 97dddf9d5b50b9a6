"""What a request asks to embed, whatever protocol it came by, and the work before the device: decode and tokenize.

No URL is ever fetched and no header is believed: sound is decoded block by block up to the limit. A key names an object
only under the prefix that the operator allows.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clsp.audio.decode import DecodeLimits, decode
from clsp.audio.fbank import SAMPLING_RATE
from clsp.audio.resample import resample
from clsp.config.serving import ServeSettings
from clsp.errors import DataError
from clsp.model.waveforms import LOUDEST
from serving.errors import bad_request, too_large
from serving.objects import Objects

FORMATS = ("wav", "flac", "mp3", "ogg", "opus", "m4a")
_SHAPE_HINT = 'an input is a string or {"type": "input_audio", "input_audio": {"data": BASE64, "format": "wav"}}'


@dataclass(frozen=True)
class TextInput:
    """One text."""

    text: str


@dataclass(frozen=True)
class AudioInput:
    """One recording in a container: its bytes, or the base64 of them as it arrived."""

    data: bytes | str


@dataclass(frozen=True)
class WaveformInput:
    """(n,) samples that are already decoded, and their rate."""

    samples: NDArray[np.float32]
    sampling_rate: int


@dataclass(frozen=True)
class ObjectInput:
    """One recording that the server's object store holds, by its key."""

    key: str


Sound = AudioInput | WaveformInput | ObjectInput
Input = TextInput | Sound
Samples = NDArray[np.float32]


def parse_inputs(value: Any, settings: ServeSettings) -> list[Input]:
    """The ``input`` of an embeddings request: one string, or a list of strings and ``input_audio`` parts."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items:
        raise bad_request("bad_input", "input must be a string or a list that is not empty", _SHAPE_HINT)
    check_count(len(items), settings)
    return [_parse(item, position, settings) for position, item in enumerate(items)]


def check_count(count: int, settings: ServeSettings) -> None:
    """413 when a request holds too many inputs."""
    if count > settings.max_items:
        raise too_large(
            "too_many_items", f"{count} inputs in one request", f"send at most {settings.max_items} a request"
        )


def check_text(text: str, position: int, settings: ServeSettings) -> TextInput:
    """A text within the limits."""
    if not text.strip():
        raise bad_request("empty_text", f"input {position} is an empty text", "send words")
    if len(text) > settings.max_text_characters:
        raise too_large(
            "text_too_long",
            f"input {position} has {len(text)} characters",
            f"send at most {settings.max_text_characters}",
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise bad_request("bad_text", f"input {position} is not valid Unicode", "send UTF-8 text") from error
    return TextInput(text)


def _parse(item: Any, position: int, settings: ServeSettings) -> Input:
    if isinstance(item, str):
        return check_text(item, position, settings)
    match item:
        case {"type": "input_audio", "input_audio": {"data": str(data), **details}} if not details.keys() - {"format"}:
            _check_format(details.get("format"), position)
            return AudioInput(data)
        case {"type": "input_audio", "input_audio": {"object": str(key), **details}} if not details:
            return ObjectInput(key)
    raise bad_request("bad_input", f"input {position} is neither a text nor a sound", _SHAPE_HINT)


def _check_format(name: Any, position: int) -> None:
    """The name is only a promise (bytes decide), but a name nobody knows is a mistake worth telling."""
    if name is not None and name not in FORMATS:
        raise bad_request("unknown_format", f"input {position} has an unknown format", f"one of {', '.join(FORMATS)}")


def to_waveform(item: Sound, objects: Objects, settings: ServeSettings, longest_seconds: float) -> Samples:
    """(n,) float32 mono samples at 16 kHz within the limits of length; ``DataError`` when it is no usable sound."""
    if not isinstance(item, WaveformInput):
        data = objects.read(item.key) if isinstance(item, ObjectInput) else _raw(item.data)
        sound = decode(data, limits=DecodeLimits(max_seconds=longest_seconds))
        samples = resample(sound.samples, sound.sampling_rate, SAMPLING_RATE)
    else:
        _check_duration(len(item.samples) / item.sampling_rate, settings, longest_seconds)
        samples = resample(item.samples, item.sampling_rate, SAMPLING_RATE)
    _check_duration(len(samples) / SAMPLING_RATE, settings, longest_seconds)
    if not np.isfinite(samples).all():
        raise DataError("samples are not finite", hint="check how the sound was made")
    if np.abs(samples).max() > LOUDEST:
        raise DataError("samples lie far outside of full scale", hint="floating-point sounds range from -1 to 1")
    return samples


def _raw(data: bytes | str) -> bytes:
    if isinstance(data, bytes):
        return data
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request("bad_base64", "the data of a sound is not base64", "encode the file's bytes") from error


def _check_duration(seconds: float, settings: ServeSettings, longest_seconds: float) -> None:
    if seconds > longest_seconds + 1 / SAMPLING_RATE:
        raise too_large("too_long", f"a clip lasts {seconds:.1f} s", f"send at most {longest_seconds:g} s")
    if seconds < settings.min_audio_seconds:
        raise bad_request(
            "too_short", f"a clip lasts {seconds:.3f} s", f"send at least {settings.min_audio_seconds:g} s"
        )


def seconds_of(clips: Sequence[Samples]) -> float:
    """Seconds of sound at 16 kHz."""
    return sum(len(clip) for clip in clips) / SAMPLING_RATE

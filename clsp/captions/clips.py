"""The sound of a segment as a chat endpoint takes it: FLAC from its shard, WAV to the wire."""

import io
import wave

import soundfile

from clsp.errors import DataError
from clsp.records import Segment
from clsp.storage.audio_shards import ByteRange, read_sound
from clsp.storage.objects import ObjectStore


def read_wav(store: ObjectStore, segment: Segment) -> bytes:
    """A 16-bit mono WAV file of the segment; ``DataError`` when its FLAC cannot be decoded."""
    flac = read_sound(store, ByteRange(segment.audio_key, segment.audio_offset, segment.audio_length))
    try:
        samples, rate = soundfile.read(io.BytesIO(flac), dtype="int16")
    except (soundfile.SoundFileError, ValueError) as error:
        raise DataError(f"the sound of segment {segment.id[:12]} is damaged", hint="run ingest again") from error
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()

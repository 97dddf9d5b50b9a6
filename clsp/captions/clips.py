"""The sound of a segment as a chat endpoint takes it: FLAC from its shard, WAV to the wire."""

import base64
import io
import threading
import wave

import soundfile

from clsp.errors import MEND, DataError
from clsp.records import Segment
from clsp.storage.audio_shards import ByteRange, read_sound
from clsp.storage.objects import ObjectStore


def read_wav(store: ObjectStore, segment: Segment) -> bytes:
    """A 16-bit mono WAV file of the segment; ``DataError`` when its FLAC cannot be decoded."""
    flac = read_sound(store, ByteRange(segment.audio_key, segment.audio_offset, segment.audio_length))
    try:
        samples, rate = soundfile.read(io.BytesIO(flac), dtype="int16")
    except (soundfile.SoundFileError, ValueError) as error:
        raise DataError(f"the sound of segment {segment.id[:12]} is damaged", hint=MEND) from error
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


class Sound:
    """A segment's WAV in base64, read when its first view is asked for and kept for ``uses`` of them. Thread-safe."""

    def __init__(self, store: ObjectStore, segment: Segment, uses: int) -> None:
        self._store = store
        self._segment = segment
        self._uses = uses
        self._text = ""
        self._lock = threading.Lock()

    def take(self) -> str:
        """The sound for one more view; ``DataError`` when it is damaged."""
        with self._lock:
            text = self._text or base64.b64encode(read_wav(self._store, self._segment)).decode("ascii")
            self._uses -= 1
            self._text = text if self._uses > 0 else ""
            return text

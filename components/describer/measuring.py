"""Measuring clips once: the views of a clip ask about the same sound, whose measures are remembered.

Requests for a clip that is being measured wait for that measurement.
"""

import base64
import binascii
import io
import threading
from collections import OrderedDict
from concurrent.futures import Future

import soundfile

from clsp.audio.acoustics import Acoustics, measure
from clsp.errors import DataError
from clsp.hashing import digest


class Measurer:
    """Measures of base64 audio files, the ``capacity`` most recently used of them remembered. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: OrderedDict[str, Future[Acoustics]] = OrderedDict()
        self._lock = threading.Lock()

    def measure(self, data: str) -> Acoustics:
        """Measures of one clip (WAV, FLAC, Ogg or MP3 in base64); ``DataError`` when it cannot be decoded."""
        future, first = self._claim(digest(data.encode()))
        if first:
            try:
                future.set_result(_measure(data))
            except Exception as error:  # noqa: BLE001 - handed to everyone who waits for this clip
                future.set_exception(error)
        return future.result()

    def _claim(self, name: str) -> tuple[Future[Acoustics], bool]:
        with self._lock:
            if name in self._known:
                self._known.move_to_end(name)
                return self._known[name], False
            future = self._known[name] = Future[Acoustics]()
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
            return future, True


def _measure(data: str) -> Acoustics:
    try:
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data, validate=True)), dtype="float32")
    except (binascii.Error, soundfile.SoundFileError, ValueError) as error:
        raise DataError("the audio cannot be decoded", hint="send WAV, FLAC, Ogg or MP3 as base64") from error
    return measure(samples if samples.ndim == 1 else samples.mean(axis=1), rate)

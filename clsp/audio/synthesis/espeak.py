"""The eSpeak NG library through ctypes: text in, 16-bit samples out, the same bytes every time.

The library is one state for the whole process: voice, generator, filter memories and phase survive from call to call,
even over Terminate, and its noise comes from two random generators. So that a clip depends on nothing but its
settings, every call loads the library afresh, seeds both generators and unloads it again (about 6 ms).
"""

import _ctypes
import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from clsp.errors import DataError

SAMPLING_RATE = 22_050
_RANDOM_SEED = 1
_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when all samples went to the callback
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT
_UTF8 = 1
_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4  # espeak_PARAMETER
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
_LOCK = Lock()


def speak(text: str, *, voice: str, words_per_minute: int, pitch: int, pitch_range: int) -> NDArray[np.int16]:
    """Samples at 22.05 kHz of ``text``; pitch and pitch_range run from 0 to 99 with 50 the voice's own.

    Raises DataError for a voice or setting that the library does not know.
    """
    pieces: list[bytes] = []

    def collect(samples: int | None, count: int, _events: int | None) -> int:
        if samples and count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _CALLBACK(collect)  # held here for as long as the library may call it
    with _LOCK, _library() as library:
        library.espeak_SetSynthCallback(callback)
        _check(library.espeak_SetVoiceByName(voice.encode()), f"voice {voice!r}")
        settings = {_RATE: words_per_minute, _VOLUME: 100, _PITCH: pitch, _RANGE: pitch_range}
        for parameter, value in settings.items():
            _check(library.espeak_SetParameter(parameter, value, 0), f"parameter {parameter} = {value}")
        encoded = text.encode() + b"\0"
        _check(library.espeak_Synth(encoded, len(encoded), 0, 0, 0, _UTF8, None, None), "text")
    return np.frombuffer(b"".join(pieces), dtype="<i2")


@contextmanager
def _library() -> Iterator[Any]:
    """A freshly loaded library with a known state, unloaded at the end."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        data = espeakng_loader.get_data_path().encode()
        if library.espeak_Initialize(_SYNCHRONOUS, 0, data, _DONT_EXIT) != SAMPLING_RATE:
            raise DataError("eSpeak NG did not start", hint="Reinstall the package espeakng-loader.")
        library.espeak_ng_SetRandSeed(ctypes.c_long(_RANDOM_SEED))
        ctypes.CDLL(None).srand(_RANDOM_SEED)
        yield library
    finally:
        library.espeak_Terminate()
        _ctypes.dlclose(library._handle)


def _check(status: int, what: str) -> None:
    if status != 0:
        raise DataError(f"eSpeak NG refused {what} (status {status})", hint="Check the clip plan's settings.")

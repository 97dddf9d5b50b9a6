"""Samples as they are stored: 16-bit PCM in FLAC, and the id that is the hash of those samples.

The id does not depend on container, channel layout or bit rate: the same sound ingested twice is the same segment.
"""

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from clsp.hashing import digest

ID_DIGITS = 16
_FULL_SCALE = 32_768


def to_pcm16(samples: NDArray[np.float32]) -> NDArray[np.int16]:
    """(n,) samples in [-1, 1] to 16-bit integers, rounded and limited; exact for what was 16-bit before."""
    return np.clip(np.rint(samples * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1).astype(np.int16)


def sound_id(pcm: NDArray[np.int16]) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of the samples, little-endian."""
    return digest(pcm.astype("<i2").tobytes())[:ID_DIGITS]


def encode_flac(pcm: NDArray[np.int16], rate: int) -> bytes:
    """FLAC of (n,) 16-bit mono samples; equal samples give equal bytes."""
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()

"""How a vector is written into an answer: floats, base64 of float32, or 8-bit integers with their scale.

int8 keeps a quarter of the bytes: value ≈ integer × scale, with scale = max|v| / 127. Rounding moves each coordinate
by at most half a scale, so the cosine with any unit vector changes by at most ``int8_error_bound``.
"""

import base64
import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Encoding = Literal["float", "base64", "int8"]
Vector = NDArray[np.float32]
_LARGEST = 127


def encode_vector(vector: Vector, encoding: Encoding) -> dict[str, Any]:
    """The fields of one (D,) unit vector: ``embedding``, and ``scale`` for int8."""
    if encoding == "base64":
        return {"embedding": base64.b64encode(vector.astype("<f4").tobytes()).decode()}
    if encoding == "int8":
        scale = float(np.abs(vector).max()) / _LARGEST or 1.0
        return {"embedding": np.rint(vector / scale).astype(np.int32), "scale": scale}
    return {"embedding": vector}


def decode_int8(embedding: list[int], scale: float) -> Vector:
    """The vector that an int8 answer stands for, of unit norm again."""
    vector = np.asarray(embedding, np.float32) * np.float32(scale)
    unit: Vector = vector / np.linalg.norm(vector)
    return unit


def int8_error_bound(scale: float, dimension: int) -> float:
    """The most that rounding can change the cosine of two unit vectors of which one was rounded: √D · scale / 2."""
    return math.sqrt(dimension) * scale / 2

"""Resampling with soxr at high quality: one filter for ingest, features and serving.

The whole-clip and the block-by-block form give the same samples, so a clip sounds the same to training and serving.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
QUALITY = "HQ"


def resample(samples: Samples, rate: int, target: int) -> Samples:
    """(n,) samples at ``rate`` to about (n · target / rate,) samples at ``target`` (samples a second)."""
    blocks = list(resample_blocks([samples], rate, target))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def resample_blocks(blocks: Iterable[Samples], rate: int, target: int) -> Iterator[Samples]:
    """Consecutive (n,) blocks at ``rate`` to consecutive blocks at ``target``; memory is that of one block."""
    if rate == target:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, target, num_channels=1, dtype="float32", quality=QUALITY)
    for block in blocks:
        yield from _some(stream.resample_chunk(np.ascontiguousarray(block, np.float32)))
    yield from _some(stream.resample_chunk(np.zeros(0, np.float32), last=True))


def _some(block: Samples) -> Iterator[Samples]:
    if len(block):
        yield block

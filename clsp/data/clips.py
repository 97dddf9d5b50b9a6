"""The features of a training set's clips: read by byte range, decoded and measured late, kept while memory allows.

A small set is decoded once a process and then costs nothing; a large one keeps what fits the budget and reads the
rest again, so the same loader serves both.
"""

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import numpy as np
import soundfile
import torch
from torch import Tensor

from clsp.audio.fbank import SAMPLING_RATE, Fbank
from clsp.errors import MEND, DataError
from clsp.records import Example
from clsp.storage import ObjectStore
from clsp.storage.audio_shards import ByteRange, read_sound


class ClipFeatures:
    """Log-mel features of ``examples`` by position; at most ``cache_bytes`` of them stay in memory.

    ``readers`` clips are read at once.
    """

    def __init__(self, store: ObjectStore, examples: Sequence[Example], cache_bytes: int, readers: int = 1) -> None:
        self._store = store
        self._examples = examples
        self._fbank = Fbank()
        self._left = cache_bytes
        self._kept: dict[int, Tensor] = {}
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(readers, "clips") if readers > 1 else None

    def __getitem__(self, position: int) -> Tensor:
        """(frames, 128) float32; DataError when the clip cannot be decoded or holds no frame."""
        if (kept := self._kept.get(position)) is not None:
            return kept
        features = self._compute(self._examples[position])
        self._keep(position, features)
        return features

    def many(self, positions: Sequence[int]) -> list[Tensor]:
        """Features of several clips, read and decoded at once: a ranged read waits far longer than it works."""
        if self._pool is None or all(position in self._kept for position in positions):
            return [self[position] for position in positions]
        return list(self._pool.map(self.__getitem__, positions))

    def _compute(self, example: Example) -> Tensor:
        place = ByteRange(example.audio_key, example.audio_offset, example.audio_length)
        waveform = decode_flac(read_sound(self._store, place), example.segment_id)
        features, _ = self._fbank(waveform[None])
        if features.shape[1] == 0:
            raise DataError(f"clip {example.segment_id} holds no frame", hint="leave its recording out")
        clip: Tensor = features[0]
        return clip

    def _keep(self, position: int, features: Tensor) -> None:
        with self._lock:
            if features.nbytes <= self._left:
                self._left -= features.nbytes
                self._kept[position] = features


def decode_flac(data: bytes, name: str) -> Tensor:
    """(samples,) float32 of a mono 16 kHz FLAC; DataError naming the clip when it is anything else."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise DataError(f"clip {name} is not readable FLAC", hint=MEND) from error
    if rate != SAMPLING_RATE or samples.ndim != 1:
        raise DataError(f"clip {name} is not mono {SAMPLING_RATE} Hz", hint=MEND)
    return torch.from_numpy(np.ascontiguousarray(samples))

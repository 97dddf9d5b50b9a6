"""Vectors of recordings in files: decoded, resampled and embedded a batch of similar length at a time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from clsp.audio.decode import DecodeError, decode
from clsp.audio.fbank import SAMPLING_RATE, frame_count
from clsp.audio.resample import resample
from clsp.errors import DataError
from clsp.evaluation.embeddings import Encoder
from clsp.model.frontend import MIN_FRAMES
from clsp.progress import Progress

_READ_AHEAD = 16  # batches decoded before they are sorted by length


def embed_files(encoder: Encoder, paths: Sequence[Path], batch_size: int) -> NDArray[np.float32]:
    """Unit vectors (N, D) of recordings at any rate, in their order; ``DataError`` names a file that is none."""
    vectors: dict[int, NDArray[np.float32]] = {}
    group = batch_size * _READ_AHEAD
    with Progress("evaluate", len(paths), "clips") as progress:
        for start in range(0, len(paths), group):
            waveforms = {index: _read(paths[index]) for index in range(start, min(start + group, len(paths)))}
            by_length = sorted(waveforms, key=lambda index: (len(waveforms[index]), index))
            for low in range(0, len(by_length), batch_size):
                batch = by_length[low : low + batch_size]
                rows = encoder.encode_speech([waveforms[index] for index in batch])
                vectors.update(zip(batch, rows.numpy(), strict=True))
                progress.advance(len(batch))
    return np.stack([vectors[index] for index in range(len(paths))])


def _read(path: Path) -> torch.Tensor:
    try:
        sound = decode(path)
    except DecodeError as error:
        raise DataError(f"{path}: {error.args[0]}", hint=error.hint) from error
    clip = torch.from_numpy(resample(sound.samples, sound.sampling_rate, SAMPLING_RATE))
    if int(frame_count(torch.tensor(len(clip)))) < MIN_FRAMES:
        raise DataError(f"{path} lasts {len(clip) / SAMPLING_RATE:.3f} s", hint="leave it out, or get the file again")
    return clip

"""Acoustic measures of the clips of examples, in worker processes: measuring is the costly part of this step."""

import io
import os
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial

import soundfile

from clsp.audio.acoustics import measure
from clsp.processes import die_with_parent
from clsp.records import Example
from clsp.storage import open_store
from clsp.storage.audio_shards import ByteRange, read_sound

_DIGITS = 6  # finer differences are those of a machine's arithmetic, not of a voice


@contextmanager
def measuring_pool(workers: int) -> Iterator[Executor]:
    """Processes that measure; they end with this one, however it ends."""
    with ProcessPoolExecutor(workers, initializer=die_with_parent, initargs=(os.getpid(),)) as pool:
        pool.submit(int).result()  # workers are forked before the caller starts threads
        yield pool


def measure_examples(pool: Executor, store_uri: str, examples: list[Example]) -> list[dict[str, float] | None]:
    """Measures of each example in order; None where the sound cannot be decoded."""
    places = [ByteRange(example.audio_key, example.audio_offset, example.audio_length) for example in examples]
    return list(pool.map(partial(measure_clip, store_uri), places, chunksize=8))


def measure_clip(store_uri: str, place: ByteRange) -> dict[str, float] | None:
    """Measures of the FLAC at ``place``; None when it is not readable mono sound."""
    data = read_sound(open_store(store_uri), place)
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except soundfile.LibsndfileError:
        return None
    if samples.ndim != 1:
        return None
    return {name: round(value, _DIGITS) for name, value in measure(samples, rate).to_dict().items()}

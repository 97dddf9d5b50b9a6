"""How long it takes to come back to any step of a large epoch: what resuming costs, beside replaying a sampler.

Resuming must be flat in the position; a sampler that replays what it dealt takes 2 ms a batch, for ever.
"""

import time
from dataclasses import dataclass

import numpy as np

from clsp.config import BatchSettings
from clsp.data.order import make_order


@dataclass(frozen=True)
class Resume:
    """Seconds from the durations of ``clips`` clips to the clips of the batch at ``step``, and bytes of the order."""

    clips: int
    step: int
    grouping_seconds: float
    batch_seconds: float
    order_bytes: int


def bench_resume(clips: int, settings: BatchSettings, steps: list[int]) -> list[Resume]:
    """Group ``clips`` clips of 1-30 s anew for each of ``steps``, and find that step's batch."""
    durations = np.random.default_rng(0).uniform(1, 30, clips).astype(np.float32)
    return [_resume(durations, settings, step) for step in steps]


def _resume(durations: "np.ndarray[tuple[int], np.dtype[np.float32]]", settings: BatchSettings, step: int) -> Resume:
    started = time.perf_counter()
    order = make_order(durations, settings, seed=1)
    grouped = time.perf_counter()
    order.clips(step)
    ended = time.perf_counter()
    held = sum(np.asarray(bucket).nbytes for bucket in order.buckets)
    return Resume(len(durations), step, round(grouped - started, 4), round(ended - grouped, 5), held)

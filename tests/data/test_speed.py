"""The measurement of resuming measures the order that training uses."""

from clsp.config import BatchSettings
from clsp.data.speed import bench_resume


def test_it_measures_each_step():
    first, last = bench_resume(2_000, BatchSettings(global_clips=8, buckets=4), [0, 240])
    assert (first.step, last.step) == (0, 240)
    assert first.clips == 2_000
    assert last.order_bytes == 4 * 2_000
    assert last.batch_seconds < 1.0

"""Examples from more segments and captions than memory holds: built and saved a stretch of segments at a time.

Captions may lie in any order; where they lie in that of their segments, as verify leaves them, each is read once.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from clsp.data.examples import build_examples, captionless
from clsp.records import Caption, Example, Failure, Segment
from clsp.storage import ObjectStore
from clsp.storage.manifest import Shard, save_rows
from clsp.storage.rows import in_chunks
from clsp.storage.slices import RowSlices
from data_quality.keys import hashes

STRETCH = 50_000  # segments
CAPTIONLESS = "captionless"
_NEAR = 256  # rows that are read along sooner than skipped


def save_examples(store: ObjectStore, segments: RowSlices[Segment], accepted: RowSlices[Caption]) -> list[Shard]:
    """Shards of the examples of ``segments`` and of the failures of those that become none, of each at least one."""
    captions = _BySegment(accepted)
    shards: list[Shard] = []
    for stretch in in_chunks(segments, STRETCH) if len(segments) else [[]]:
        examples = build_examples(stretch, captions.of(stretch))
        failures = [
            Failure(segment.id, "validate", "rejected", CAPTIONLESS, "no fine caption passed", 1)
            for segment in captionless(stretch, examples)
        ]
        shards.append(save_rows(store, "examples", Example, examples))
        shards.append(save_rows(store, "failures", Failure, failures))
    return shards


class _BySegment:
    """Captions found by their segment: 16 bytes of memory a caption."""

    def __init__(self, captions: RowSlices[Caption]) -> None:
        self._captions = captions
        parts = [hashes(chunk) for chunk in in_chunks(captions.column("segment_id"), STRETCH)]
        keys = np.concatenate([np.empty(0, np.uint64), *parts])
        self._rows = np.argsort(keys, kind="stable")
        self._keys = keys[self._rows]

    def of(self, segments: list[Segment]) -> Iterator[Caption]:
        """The captions of ``segments``, in order."""
        wanted = {segment.id for segment in segments}
        for start, stop in self._runs(hashes(wanted)):
            yield from (caption for caption in self._captions.read(start, stop) if caption.segment_id in wanted)

    def _runs(self, keys: Any) -> Iterator[tuple[int, int]]:
        first, last = (np.searchsorted(self._keys, keys, side) for side in ("left", "right"))
        rows = np.sort(np.concatenate([np.empty(0, np.int64), *map(self._rows.__getitem__, map(slice, first, last))]))
        for run in np.split(rows, np.flatnonzero(np.diff(rows) > _NEAR) + 1):
            if len(run):
                yield int(run[0]), int(run[-1]) + 1

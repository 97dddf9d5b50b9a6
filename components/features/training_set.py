"""What features does: measure every clip a unit at a time, hold the features in Feast, and select by their join.

A data set has more examples than memory: they are read a unit at a time to be measured, and joined, selected and
saved a stretch of units at a time.
"""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import cast

from pydantic import JsonValue

from clsp.config import FeatureSettings
from clsp.errors import DataError
from clsp.progress import Progress
from clsp.records import Example, Failure
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger, UnitResult
from clsp.storage.manifest import Counts, Shard, load_manifest, read_shard, save_rows
from clsp.storage.rows import decode_rows, in_chunks
from clsp.storage.slices import RowSlices
from clsp.storage.steps import Outcome
from components.features.measuring import measure_examples, measuring_pool
from components.features.rows import SegmentFeatures, describe
from components.features.selection import STEP, Selection, select

STRETCH = 6_400  # examples that are joined, selected and saved together


def build_training_set(store: ObjectStore, ledger: Ledger, settings: FeatureSettings, parent: str) -> Outcome:
    """Examples of manifest ``parent`` with measures, selected by ``settings``; DataError when train is empty."""
    examples = RowSlices(store, load_manifest(store, parent).of_kind("examples"), Example)
    measured = _measure(store, ledger, settings, examples)
    kept = _Kept()
    with Progress("select", len(examples), "examples") as progress:
        for units in in_chunks(measured, max(1, STRETCH // settings.examples_per_unit)):
            stretch = examples.read(units[0][0].start, units[-1][0].stop)
            kept.add(store, select(stretch, _joined(_features(store, units)), settings))
            progress.advance(len(stretch))
    if not kept.examples["train"]:
        raise DataError(
            f"no example of train is left of {len(examples)}: {dict(kept.rejected)}",
            hint="loosen features.min_seconds, max_seconds, min_fine_captions or licences",
        )
    return kept.outcome(len(examples), [shard for _, shard in measured])


class _Kept:
    """What was selected so far: its shards and its sums."""

    def __init__(self) -> None:
        self.shards: list[Shard] = []
        self.rejected, self.failed = Counter[str](), Counter[str]()
        self.examples, self.seconds = Counter[str](), defaultdict[str, float](float)

    def add(self, store: ObjectStore, chosen: Selection) -> None:
        """Save one more stretch."""
        self.shards.append(save_rows(store, "examples", Example, list(chosen.examples)))
        self.shards.append(save_rows(store, "failures", Failure, list(chosen.failures)))
        self.rejected.update(chosen.rejected)
        self.failed.update(chosen.failed)
        for example in chosen.examples:
            self.examples[example.split] += 1
            self.seconds[example.split] += example.duration_s

    def outcome(self, rows_in: int, features: Sequence[Shard]) -> Outcome:
        """All of it as the step's, with ``features`` beside."""
        counts = Counts(
            unit="examples",
            rows_in=rows_in,
            accepted=self.examples.total(),
            rejected=dict(self.rejected),
            failed=dict(self.failed),
        )
        facts: dict[str, JsonValue] = {
            split: {"examples": held, "seconds": round(self.seconds[split], 3)}
            for split, held in sorted(self.examples.items())
        }
        return Outcome("examples", (*self.shards, *features), counts, facts)


def _measure(
    store: ObjectStore, ledger: Ledger, settings: FeatureSettings, examples: RowSlices[Example]
) -> list[tuple[range, Shard]]:
    """The rows of each unit, and the shard of their features."""
    size = settings.examples_per_unit
    rows = [range(start, min(start + size, len(examples))) for start in range(0, len(examples), size)]
    units = [(f"{number:06d}", unit) for number, unit in enumerate(rows)]
    with Progress(STEP, len(units), "units") as progress, measuring_pool(settings.workers) as pool, _feast_loading():
        results = ledger.complete(
            units, lambda unit: measure_unit(store, pool, examples.read(unit.start, unit.stop)), progress
        )
    return [(unit, Shard.model_validate(result["shard"])) for unit, result in zip(rows, results, strict=True)]


@contextmanager
def _feast_loading() -> Iterator[None]:
    """Load Feast, which takes as long as measuring a few hundred clips, while other processes measure them."""
    loading = Thread(target=import_module, args=("components.features.repository",))
    loading.start()
    yield
    loading.join()


def measure_unit(store: ObjectStore, pool: Executor, examples: list[Example]) -> UnitResult:
    """Measure one unit and write the features of the clips that could be decoded."""
    measured = zip(examples, measure_examples(pool, store.uri, examples), strict=True)
    rows = [describe(example, measures) for example, measures in measured if measures is not None]
    shard = save_rows(store, "features", SegmentFeatures, rows)
    return cast("UnitResult", {"shard": shard.model_dump(mode="json")})


def _features(store: ObjectStore, units: Sequence[tuple[range, Shard]]) -> list[SegmentFeatures]:
    return [row for _, shard in units for row in decode_rows(SegmentFeatures, read_shard(store, shard))]


def _joined(rows: Sequence[SegmentFeatures]) -> list[SegmentFeatures]:
    """The rows as Feast's historical join gives them."""
    from components.features.repository import build_repository  # Feast takes seconds to load

    if not rows:
        return []
    with tempfile.TemporaryDirectory(prefix="clsp-features-") as folder:
        return build_repository(Path(folder), rows).historical([row.segment_id for row in rows])

"""What features does: measure every clip a unit at a time, hold the features in Feast, and select by their join."""

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any, cast

from clsp.config import FeatureSettings
from clsp.errors import DataError
from clsp.progress import Progress
from clsp.records import Example, Failure
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger, UnitResult
from clsp.storage.manifest import Counts, Shard, load_manifest, read_rows, read_shard, save_rows
from clsp.storage.rows import decode_rows, in_chunks
from clsp.storage.steps import Outcome
from components.features.measuring import measure_examples, measuring_pool
from components.features.rows import SegmentFeatures, describe
from components.features.selection import reject_reason

STEP, UNREADABLE = "features", "unreadable_audio"


def build_training_set(store: ObjectStore, ledger: Ledger, settings: FeatureSettings, parent: str) -> Outcome:
    """Examples of manifest ``parent`` with measures, selected by ``settings``; DataError when train is empty."""
    examples = list(read_rows(store, load_manifest(store, parent), "examples", Example))
    shards = _measure(store, ledger, settings, examples)
    rows = [row for shard in shards for row in decode_rows(SegmentFeatures, read_shard(store, shard))]
    chosen = select(examples, _joined(rows), settings)
    if not any(example.split == "train" for example in chosen.examples):
        raise DataError(
            f"no example of train is left of {len(examples)}: {dict(chosen.rejected)}",
            hint="loosen features.min_seconds, max_seconds, min_fine_captions or licences",
        )
    return _outcome(store, shards, chosen, len(examples))


@dataclass(frozen=True)
class Selection:
    """The examples that go on, and a row for each that does not."""

    examples: tuple[Example, ...]
    failures: tuple[Failure, ...]

    @property
    def rejected(self) -> dict[str, int]:
        """Rows left out on purpose, by reason."""
        return dict(Counter(row.reason for row in self.failures if row.outcome == "rejected"))

    @property
    def failed(self) -> dict[str, int]:
        """Rows that could not be measured, by reason."""
        return dict(Counter(row.reason for row in self.failures if row.outcome == "failed"))


def select(examples: Sequence[Example], rows: Sequence[SegmentFeatures], settings: FeatureSettings) -> Selection:
    """Examples whose features meet ``settings``, in order, with their measures; an example without features failed."""
    features = {row.segment_id: row for row in rows}
    kept, failures = [], []
    for example in examples:
        row = features.get(example.segment_id)
        if row is None:
            failures.append(Failure(example.segment_id, STEP, "failed", UNREADABLE, "not mono FLAC", 1))
        elif reason := reject_reason(row, settings):
            failures.append(Failure(example.segment_id, STEP, "rejected", reason, "", 1))
        else:
            kept.append(replace(example, measures=row.measures))
    return Selection(tuple(kept), tuple(failures))


def _measure(store: ObjectStore, ledger: Ledger, settings: FeatureSettings, examples: Sequence[Example]) -> list[Shard]:
    units = [(f"{n:06d}", unit) for n, unit in enumerate(in_chunks(examples, settings.examples_per_unit))]
    with Progress(STEP, len(units), "units") as progress, measuring_pool(settings.workers) as pool, _feast_loading():
        results = ledger.complete(units, lambda unit: measure_unit(store, pool, unit), progress)
    return [Shard.model_validate(result["shard"]) for result in results]


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


def _joined(rows: Sequence[SegmentFeatures]) -> list[SegmentFeatures]:
    from components.features.repository import build_repository  # Feast takes seconds to load

    with tempfile.TemporaryDirectory(prefix="clsp-features-") as folder:
        return build_repository(Path(folder), rows).historical([row.segment_id for row in rows])


def _outcome(store: ObjectStore, features: Sequence[Shard], chosen: Selection, rows_in: int) -> Outcome:
    counts = Counts(
        unit="examples",
        rows_in=rows_in,
        accepted=len(chosen.examples),
        rejected=chosen.rejected,
        failed=chosen.failed,
    )
    shards = (
        save_rows(store, "examples", Example, list(chosen.examples)),
        save_rows(store, "failures", Failure, list(chosen.failures)),
        *features,
    )
    return Outcome("examples", shards, counts, _facts(chosen.examples))


def _facts(examples: Sequence[Example]) -> dict[str, Any]:
    splits: dict[str, list[float]] = defaultdict(list)
    for example in examples:
        splits[example.split].append(example.duration_s)
    return {split: {"examples": len(held), "seconds": round(sum(held), 3)} for split, held in sorted(splits.items())}

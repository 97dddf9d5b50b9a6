"""Sums of caption work: what each unit committed to the ledger becomes the shards and sums of the step."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pydantic import JsonValue

from clsp.records import Caption, Failure
from clsp.storage.ledger import UnitResult
from clsp.storage.manifest import Counts, Shard, save_rows
from clsp.storage.objects import ObjectStore
from clsp.storage.steps import Outcome

RECORD = UNIT = "captions"
UNREADABLE = "unreadable_audio"  # the row's own fault, whatever the endpoint


def save_unit(
    store: ObjectStore,
    accepted: Sequence[Caption],
    failures: Sequence[Failure],
    rejected: Mapping[str, int] | None = None,
    shards: Iterable[Shard] = (),
) -> UnitResult:
    """Write the captions and failures of a unit, beside the ``shards`` already written, and give its sums."""
    written = [save_rows(store, RECORD, Caption, list(accepted))] if accepted else []
    written += shards
    written += [save_rows(store, "failures", Failure, list(failures))] if failures else []
    result: dict[str, Any] = {
        "shards": [shard.model_dump(mode="json") for shard in written],
        "accepted": len(accepted),
        "rejected": dict(rejected or {}),
        "failed": dict(Counter(failure.reason for failure in failures)),
    }
    return result


def add_up(results: Iterable[UnitResult], info: Mapping[str, JsonValue]) -> Outcome:
    """The outcome of a step from the results of its units, in their order."""
    shards: list[Shard] = []
    accepted, rejected, failed = 0, Counter[str](), Counter[str]()
    for result in cast("Iterable[dict[str, Any]]", results):
        shards += [Shard.model_validate(shard) for shard in result["shards"]]
        accepted += result["accepted"]
        rejected.update(result["rejected"])
        failed.update(result["failed"])
    counts = Counts(
        unit=UNIT,
        rows_in=accepted + rejected.total() + failed.total(),
        accepted=accepted,
        rejected=dict(rejected),
        failed=dict(failed),
    )
    return Outcome(record=RECORD, shards=tuple(shards), counts=counts, info=info)


def endpoint_rows(result: UnitResult) -> tuple[int, int]:
    """How many rows of a unit were answered, and how many failed because of the endpoint, not of their own sound."""
    sums = cast("dict[str, Any]", result)
    answered = sums["accepted"] + sum(sums["rejected"].values())
    return answered, sum(count for reason, count in sums["failed"].items() if reason != UNREADABLE)

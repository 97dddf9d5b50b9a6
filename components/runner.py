"""What every step does around its body: open the store, skip finished work, and leave a record of the run.

The record (``runs/RUN/STEP.json``) holds what a manifest must not: seconds, memory, and whether work was reused.
Beside it, ``work/MANIFEST.json`` keeps the record of the run that did the work, for the runs that reuse it.
"""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar, cast

import orjson

from clsp.errors import ClspError
from clsp.hashing import canonical_json
from clsp.logs import configure_logs, get_logger
from clsp.processes import die_with_ancestor, obey_termination, peak_rss_bytes
from clsp.storage import ObjectStore, open_store
from clsp.storage.ledger import Ledger
from clsp.storage.manifest import Recipe
from clsp.storage.steps import Outcome, StepResult, run_step

RUN_ID_VARIABLE = "CLSP_RUN_ID"  # the name of a run that was started without one, as recurring runs are

log = get_logger(__name__)


@dataclass(frozen=True)
class StepReport:
    """One line of the summary: what a step took in, gave out and cost in this run."""

    name: str
    unit: str
    rows_in: int
    accepted: int
    rejected: dict[str, int]
    failed: dict[str, int]
    seconds: float
    max_rss_bytes: int
    reused: bool
    manifest: str
    ended_at: str = ""  # UTC, ISO 8601; empty in reports of earlier releases


@dataclass(frozen=True)
class StepFailure:
    """Why a step of a run failed the last time it was tried: its own words, for whoever follows from elsewhere."""

    step: str
    message: str
    hint: str
    exit_code: int
    ended_at: str


Body = Callable[[ObjectStore, Ledger], Outcome]
Entry = TypeVar("Entry", bound=Callable[..., str])


def step_entry(step: str) -> Callable[[Entry], Entry]:
    """Mark the ``run`` function of a step: logs are set up, and its end is told, with the reason when it failed."""

    def decorate(entry: Entry) -> Entry:
        @wraps(entry)
        def run(*args: Any, **kwargs: Any) -> str:
            configure_logs()
            die_with_ancestor()
            obey_termination()
            log.info("step_started", step=step)
            try:
                return entry(*args, **kwargs)
            except Exception as error:
                _report_failure(step, error, kwargs.get("store", ""), kwargs.get("run_id", ""))
                raise

        return cast("Entry", run)

    return decorate


def execute(store_uri: str, run_id: str, recipe: Recipe, parents: tuple[str, ...], body: Body) -> str:
    """Run one step, unless its output is there, and return the name of its manifest."""
    store = open_store(store_uri)
    started = time.monotonic()
    result = run_step(store, recipe, parents, lambda ledger: body(store, ledger))
    report = _report(recipe.step, result, time.monotonic() - started)
    record = canonical_json(asdict(report))
    store.put_if_absent(f"runs/{_run_name(run_id)}/{recipe.step}.json", record)
    if not report.reused:
        store.put_if_absent(_work_key(report.manifest), record)
    log.info("step_done", **asdict(report))
    return result.name


def _run_name(run_id: str) -> str:
    return run_id or os.environ.get(RUN_ID_VARIABLE) or "unnamed"


def _report_failure(step: str, error: Exception, store_uri: str, run_id: str) -> None:
    failure = StepFailure(
        step=step,
        message=Exception.__str__(error) if isinstance(error, ClspError) else f"{type(error).__name__}: {error}",
        hint=getattr(error, "hint", ""),
        exit_code=error.exit_code if isinstance(error, ClspError) else 70,
        ended_at=_now(),
    )
    log.error("step_failed", **asdict(failure))
    if store_uri:
        try:
            open_store(store_uri).put_blob(f"{_failures(run_id)}{step}.json", canonical_json(asdict(failure)))
        except ClspError as second:
            log.warning("failure_not_recorded", step=step, reason=Exception.__str__(second))


def _failures(run_id: str) -> str:
    return f"failures/{_run_name(run_id)}/"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _report(step: str, result: StepResult, seconds: float) -> StepReport:
    counts = result.manifest.counts
    return StepReport(
        name=step,
        unit=counts.unit,
        rows_in=counts.rows_in,
        accepted=counts.accepted,
        rejected=counts.rejected,
        failed=counts.failed,
        seconds=round(seconds, 3),
        max_rss_bytes=peak_rss_bytes(),
        reused=result.reused,
        manifest=result.name,
        ended_at=_now(),
    )


def read_reports(store: ObjectStore, run_id: str) -> dict[str, StepReport]:
    """The reports a run has left so far, by step."""
    keys = list(store.list(f"runs/{run_id}/"))
    reports = [StepReport(**orjson.loads(store.get(key))) for key in keys]
    return {report.name: report for report in reports}


def read_failures(store: ObjectStore, run_id: str) -> dict[str, StepFailure]:
    """The steps of a run that failed when they were last tried, by step."""
    reports = read_reports(store, run_id)
    failures = [StepFailure(**orjson.loads(store.get(key))) for key in store.list(f"failures/{run_id}/")]
    return {failure.step: failure for failure in failures if failure.step not in reports}


def read_runs(store: ObjectStore) -> dict[str, dict[str, StepReport]]:
    """The reports of every run, by run and step."""
    names = sorted({key.split("/")[1] for folder in ("runs/", "failures/") for key in store.list(folder)})
    return {name: read_reports(store, name) for name in names}


def read_work(store: ObjectStore, report: StepReport) -> StepReport:
    """What the step cost the run that did its work: ``report`` itself, or that of the run it reuses (when known)."""
    if not report.reused or not store.exists(_work_key(report.manifest)):
        return report
    return StepReport(**orjson.loads(store.get(_work_key(report.manifest))))


def _work_key(manifest: str) -> str:
    return f"work/{manifest}.json"

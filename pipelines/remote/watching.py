"""What recurring runs say to Prometheus: when each had its newest run, for the alert that one was missed.

KFP tells nobody when a recurring run does not start: its controller is down, the run is refused, or somebody paused it.
"""

import threading
from datetime import datetime

from prometheus_client import Gauge

from clsp.errors import KfpError
from clsp.logs import get_logger
from pipelines.remote.calls import Calls
from pipelines.remote.runs import ensure_experiment
from pipelines.remote.schedules import list_schedules

NEWEST = Gauge(
    "clsp_schedule_newest_run_timestamp_seconds",
    "When the newest run of a recurring run was made; before the first, when it was declared itself",
    ("schedule",),
)
log = get_logger(__name__)


def watch(calls: Calls, owner: str, every_seconds: float, over: threading.Event) -> None:
    """Look every few seconds until ``over``; while KFP does not answer, what was last seen grows old, as it should."""
    told: set[str] = set()
    while not over.is_set():
        try:
            told = report(calls, owner, told)
        except KfpError as error:
            log.warning("schedules_not_read", reason=str(error.args[0]), hint=error.hint)
        over.wait(every_seconds)


def report(calls: Calls, owner: str, told: set[str]) -> set[str]:
    """Tell the newest run of every recurring run of ``owner`` that is not paused; those ``told`` before may be gone."""
    newest = newest_runs(calls, owner)
    for name in told - set(newest):
        NEWEST.remove(name)
    for name, made in newest.items():
        NEWEST.labels(name).set(made.timestamp())
    return set(newest)


def newest_runs(calls: Calls, owner: str) -> dict[str, datetime]:
    """When each active recurring run of ``owner`` had its newest run, or was declared."""
    active = {item.id: item for item in list_schedules(calls) if item.owner == owner and not item.paused}
    found: dict[str, datetime] = {}
    options = {"experiment_id": ensure_experiment(calls), "sort_by": "created_at desc"}
    for run in calls.pages(calls.client.runs.run_service_list_runs, "runs", **options) if active else ():
        if run.recurring_run_id in active:
            found.setdefault(run.recurring_run_id, run.created_at)
            if len(found) == len(active):
                break
    return {item.name: found.get(identity, item.created) for identity, item in active.items() if item.created}

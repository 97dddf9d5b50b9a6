"""What a running step says to Prometheus: the numbers of its progress lines, under the platform's naming scheme.

A step's pod is short-lived, so nothing here is history: rates and sums over runs are the monitoring's business. The
port is opened only where ``CLSP_METRICS_PORT`` names one, as the pods of a cluster do.
"""

import os
from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter, Gauge, start_http_server

from clsp.logs import get_logger

PORT_VARIABLE = "CLSP_METRICS_PORT"
UNITS = Gauge("clsp_step_units", "Units of work that the step has in all", ("step",))
DONE_UNITS = Gauge("clsp_step_done_units", "Units of work that are done, those of earlier runs included", ("step",))
LEFT_SECONDS = Gauge("clsp_step_left_seconds", "Expected time to the end of the step", ("step",))
FACT = Gauge("clsp_step_fact", "A number of the step's progress line, such as a loss", ("step", "fact"))
CHECKPOINT = Gauge(
    "clsp_step_checkpoint_timestamp_seconds",
    "When the newest checkpoint was committed; before the first, when the step began",
    ("step",),
)
ROWS = Counter("clsp_step_rows_total", "Rows by what became of them", ("step", "outcome", "reason"))

log = get_logger(__name__)
_serving: set[str] = set()


def serve() -> None:
    """Answer on the port that the environment names, once a process; a port that is taken is only reported."""
    port = os.environ.get(PORT_VARIABLE, "")
    if not port or port in _serving:
        return
    _serving.add(port)
    try:
        start_http_server(int(port))
    except (OSError, ValueError, OverflowError) as error:
        log.warning("metrics_not_served", port=port, reason=str(error))


def report_progress(step: str, done: int, total: int, left: float | None, facts: Mapping[str, Any]) -> None:
    """Say how far ``step`` is; facts that are no numbers are left to the log."""
    UNITS.labels(step).set(total)
    DONE_UNITS.labels(step).set(done)
    if left is not None:
        LEFT_SECONDS.labels(step).set(left)
    for name, value in facts.items():
        if isinstance(value, int | float):
            FACT.labels(step, name).set(value)


def report_checkpoint(step: str) -> None:
    """Say that the state of ``step`` is safe as of now: it has just begun or gone on, or a checkpoint was committed."""
    CHECKPOINT.labels(step).set_to_current_time()


def count_rows(step: str, result: Any) -> None:
    """Count the rows of a unit of work whose result carries the sums of a manifest; others pass by."""
    if not isinstance(result, Mapping) or not isinstance(result.get("accepted"), int):
        return
    ROWS.labels(step, "accepted", "").inc(result["accepted"])
    for outcome in ("rejected", "failed"):
        reasons = result.get(outcome)
        if isinstance(reasons, Mapping):
            for reason, count in reasons.items():
                ROWS.labels(step, outcome, reason).inc(count)

"""Watching a run on KFP until it ends: a line a step, with the step's own account of itself where the store has one."""

import time
from collections.abc import Callable
from typing import Any

from clsp.errors import ClspError, KfpError
from clsp.storage import ObjectStore, open_store
from components.runner import read_failures, read_reports
from pipelines.remote.calls import Calls
from pipelines.remote.runs import RemoteRun, RemoteTask, get_run

Show = Callable[[dict[str, Any]], None]
_QUIET = frozenset({"", "PENDING", "RUNTIME_STATE_UNSPECIFIED"})


def follow(calls: Calls, run_id: str, show: Show) -> RemoteRun:
    """Show every change until the run ends well; ``KfpError`` with the failing step's reason when it does not."""
    seen: dict[str, str] = {}
    while True:
        run = get_run(calls, run_id)
        for task in run.tasks:
            if seen.get(task.step) != task.state and task.state not in _QUIET:
                seen[task.step] = task.state
                show(describe(run, task))
        if run.ended:
            break
        time.sleep(calls.settings.poll_seconds)
    if run.state != "SUCCEEDED":
        raise failure(run)
    return run


def describe(run: RemoteRun, task: RemoteTask) -> dict[str, Any]:
    """The event of a step's new state, as local flows tell theirs."""
    if task.state == "FAILED":
        return {"event": "step_failed", "step": task.step, "message": reason(run, task)[0]}
    reports = _from_store(run, read_reports)
    if task.state == "SUCCEEDED" and task.step in reports:
        return {"event": "step_done", **vars(reports[task.step])}
    return {"event": "step_state", "step": task.step, "state": task.state.lower()}


def reason(run: RemoteRun, task: RemoteTask) -> tuple[str, str]:
    """Why a step failed and what to do: in its own words where it could leave them, else in those of KFP."""
    told = _from_store(run, read_failures).get(task.step)
    if told:
        return told.message, told.hint
    return task.message or "its pod ended without a reason", f"read its log: clsp runs logs {run.name} {task.step}"


def failure(run: RemoteRun) -> KfpError:
    """The error that tells why ``run`` did not succeed."""
    failed = next((task for task in run.tasks if task.state == "FAILED"), None)
    if failed is None:
        return KfpError(
            f"run {run.name} ended as {run.state.lower()}: {run.message or 'no reason given'}", hint=run.url
        )
    message, hint = reason(run, failed)
    return KfpError(f"run {run.name} failed in step {failed.step}: {message}", hint=hint or run.url)


def _from_store(run: RemoteRun, read: Callable[[ObjectStore, str], dict[str, Any]]) -> dict[str, Any]:
    """What the run left in its store, or nothing where this machine cannot read it."""
    try:
        return read(open_store(run.store), run.name) if run.store else {}
    except ClspError:
        return {}

"""Runs on KFP: submitted once, found by either of their names, told as records of our own."""

import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from clsp.errors import KfpError
from pipelines.remote.calls import Calls, NotFoundError
from pipelines.remote.package import Package

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"})


@dataclass(frozen=True)
class RemoteTask:
    """One step of a run: its state, and why it failed in KFP's words."""

    step: str
    state: str
    message: str
    pod: str


@dataclass(frozen=True)
class RemoteRun:
    """A run as KFP tells it. ``name`` is what its hand-overs in the store go by, where it was submitted with one."""

    id: str
    name: str
    state: str
    created: str
    finished: str
    message: str
    url: str
    store: str
    archived: bool
    tasks: tuple[RemoteTask, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self.state in ENDED


def submit(calls: Calls, package: Package, name: str, arguments: dict[str, str]) -> RemoteRun:
    """Submit a run under a name of its own; asking again after a cut connection submits nothing twice."""
    experiment = ensure_experiment(calls)
    reference = upload(calls, package)
    models = calls.client.api_models
    body = models.V2beta1Run(
        experiment_id=experiment,
        display_name=name,
        pipeline_version_reference=reference,
        runtime_config=models.V2beta1RuntimeConfig(parameters=arguments),
        service_account=calls.settings.service_account or None,
    )
    runs = calls.client.runs
    made = calls.settle(
        lambda: _named(calls, runs.run_service_list_runs, "runs", name, experiment_id=experiment),
        lambda: calls.write(runs.run_service_create_run, body),
    )
    return _run(made, calls)


def ensure_experiment(calls: Calls) -> str:
    """The id of the experiment that groups our runs; made when it is not there."""
    experiments, settings = calls.client.experiments, calls.settings
    body = calls.client.api_models.V2beta1Experiment(
        display_name=settings.experiment, namespace=settings.namespace or None
    )
    found = calls.settle(
        lambda: _named(
            calls,
            experiments.experiment_service_list_experiments,
            "experiments",
            settings.experiment,
            namespace=settings.namespace or None,
        ),
        lambda: calls.write(experiments.experiment_service_create_experiment, body),
    )
    return str(found.experiment_id)


def upload(calls: Calls, package: Package) -> Any:
    """A reference to the version of ``package`` in KFP, uploaded when it is not there."""
    pipelines, uploads = calls.client.pipelines, calls.client.pipeline_uploads
    namespace = calls.settings.namespace or None
    with tempfile.TemporaryDirectory(prefix="clsp-upload-") as folder:
        path = Path(folder) / package.filename
        path.write_text(package.text)
        pipeline = calls.settle(
            lambda: _named(
                calls, pipelines.pipeline_service_list_pipelines, "pipelines", package.pipeline, namespace=namespace
            ),
            lambda: calls.write(uploads.upload_pipeline, str(path), name=package.pipeline, namespace=namespace),
        )
        version = calls.settle(
            lambda: _named(
                calls,
                pipelines.pipeline_service_list_pipeline_versions,
                "pipeline_versions",
                package.version,
                pipeline_id=pipeline.pipeline_id,
            ),
            lambda: calls.write(
                uploads.upload_pipeline_version, str(path), name=package.version, pipelineid=pipeline.pipeline_id
            ),
        )
    return calls.client.api_models.V2beta1PipelineVersionReference(
        pipeline_id=pipeline.pipeline_id, pipeline_version_id=version.pipeline_version_id
    )


def list_runs(calls: Calls) -> list[RemoteRun]:
    """Our experiment's runs, newest first."""
    options = {"experiment_id": ensure_experiment(calls), "sort_by": "created_at desc"}
    return [_run(run, calls) for run in calls.pages(calls.client.runs.run_service_list_runs, "runs", **options)]


def get_run(calls: Calls, name: str) -> RemoteRun:
    """A run by KFP's id or by our name; ``KfpError`` when there is none."""
    try:
        return _run(calls.read(calls.client.runs.run_service_get_run, name), calls)
    except NotFoundError:
        pass
    found = next((run for run in list_runs(calls) if run.name == name), None)
    if found is None:
        raise KfpError(f"no run {name!r} in KFP", hint=f"list them with: clsp runs list --kfp {calls.settings.url}")
    return _run(calls.read(calls.client.runs.run_service_get_run, found.id), calls)


def cancel(calls: Calls, name: str) -> RemoteRun:
    """Ask KFP to end a run; one that has ended is left alone."""
    run = get_run(calls, name)
    if not run.ended and run.state != "CANCELING":
        calls.read(calls.client.runs.run_service_terminate_run, run.id)
    return get_run(calls, run.id)


def _named(calls: Calls, call: Any, field: str, name: str, **options: Any) -> Any | None:
    """The entry of a listing with this display name; the filter only spares pages."""
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    wanted = json.dumps({"predicates": [predicate]})
    return next(
        (entry for entry in calls.pages(call, field, filter=wanted, **options) if entry.display_name == name), None
    )


def _run(run: Any, calls: Calls) -> RemoteRun:
    details = run.run_details.task_details if run.run_details else None
    parameters = (run.runtime_config.parameters if run.runtime_config else None) or {}
    base = (calls.settings.ui_url or calls.settings.url).rstrip("/")
    return RemoteRun(
        id=run.run_id,
        name=parameters.get("run_id") or run.run_id,
        state=run.state or "PENDING",
        created=_time(run.created_at),
        finished=_time(run.finished_at) if run.state in ENDED else "",
        message=(run.error.message if run.error else "") or "",
        url=f"{base}/#/runs/details/{run.run_id}",
        store=parameters.get("store", ""),
        archived=run.storage_state == "ARCHIVED",
        tasks=tuple(_task(task) for task in details or () if _is_step(task)),
    )


def _is_step(task: Any) -> bool:
    return task.display_name not in {None, "", "root"} and not str(task.display_name).endswith("-driver")


def _task(task: Any) -> RemoteTask:
    pods = [child.pod_name for child in task.child_tasks or () if child.pod_name]
    return RemoteTask(
        step=str(task.display_name).replace("-", "_"),
        state=task.state or "PENDING",
        message=(task.error.message if task.error else "") or "",
        pod=task.pod_name or (pods[-1] if pods else ""),
    )


def _time(value: datetime | None) -> str:
    return value.isoformat(timespec="seconds") if value else ""

"""The log of a run, whole or of one step: kept in the store by a local run, asked of KFP for a run in pods."""

from collections.abc import Iterator

import orjson

from clsp.errors import ConfigError, KfpError, StorageError
from clsp.storage import open_store
from pipelines.remote.calls import Calls, NotFoundError
from pipelines.remote.runs import get_run
from pipelines.runs import log_key

_LOG_PATH = "/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log"  # served by the KFP API, outside its OpenAPI


def local_log(store: str, run_id: str, step: str) -> Iterator[str]:
    """Lines of a local run's log; of one step, those from its start to its end."""
    try:
        text = open_store(store).get(log_key(run_id)).decode(errors="replace")
    except StorageError as error:
        raise ConfigError(f"no log of run {run_id!r} in {store}", hint="it ran on KFP? then give --kfp URL") from error
    return _of_step(text.splitlines(), step) if step else iter(text.splitlines())


def _of_step(lines: list[str], step: str) -> Iterator[str]:
    inside = False
    for line in lines:
        event, name = _event(line)
        inside = inside or (event == "step_started" and name == step)
        if inside:
            yield line
        if inside and event in {"step_done", "step_failed"}:
            inside = False


def _event(line: str) -> tuple[str, str]:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "", ""
    return (value.get("event", ""), value.get("step", "")) if isinstance(value, dict) else ("", "")


def remote_log(calls: Calls, name: str, step: str) -> Iterator[str]:
    """Lines of a run's pods, step by step; ``KfpError`` when the pods and their logs are gone."""
    run = get_run(calls, name)
    tasks = [task for task in run.tasks if step in {"", task.step} and task.pod]
    if not tasks:
        what = f"step {step!r} of run {name!r}" if step else f"run {name!r}"
        raise KfpError(
            f"{what} has no pod yet", hint=f"see its state: clsp runs show {name} --kfp {calls.settings.url}"
        )
    for task in tasks:
        try:
            text = calls.read(_get_log, calls, run.id, task.pod)
        except NotFoundError as error:
            raise KfpError(
                f"the log of {task.step} is gone with its pod", hint="KFP keeps logs where it archives them"
            ) from error
        yield from (f"{task.step:<13} {line}" for line in text.splitlines())


def _get_log(calls: Calls, run_id: str, pod: str, _request_timeout: int) -> str:
    client = calls.client.runs.api_client
    answer: str = client.call_api(
        _LOG_PATH,
        "GET",
        path_params={"run_id": run_id, "node_id": pod},
        header_params={"Accept": "text/plain"},
        response_type="str",
        auth_settings=["Bearer"],
        _return_http_data_only=True,
        _request_timeout=_request_timeout,
    )
    return answer

"""One run of a flow, from its configuration to its end: on this machine, or submitted to KFP."""

import tempfile
from pathlib import Path

from clsp.config import Config
from clsp.errors import ConfigError
from clsp.storage import open_store
from components.runner import StepReport, read_reports
from pipelines.arguments import flow_arguments
from pipelines.console import Console
from pipelines.flows import FLOWS
from pipelines.local import run_flow
from pipelines.steps import STEPS

_OPTIONAL = {"metadata"}
_OPTIONS = {"source": "--data"}
_PLACES = ("source", "metadata")


def run_arguments(flow: str, store: str, run_id: str, config: Config, values: dict[str, str]) -> dict[str, str]:
    """The arguments of a run of ``flow``; ``ConfigError`` for an unknown flow or a missing parameter."""
    if flow not in FLOWS:
        raise ConfigError(f"unknown flow {flow!r}", hint=f"choose one of {', '.join(FLOWS)}")
    given = {name: value for name, value in values.items() if value or name in _OPTIONAL}
    parameters = set(FLOWS[flow].component_spec.inputs)
    arguments = flow_arguments(parameters, config, store=store, run_id=run_id, **given)
    if missing := sorted(parameters - set(arguments)):
        options = ", ".join(_OPTIONS.get(name, f"--{name}") for name in missing)
        raise ConfigError(f"flow {flow!r} needs {options}", hint="see clsp run --help for what each takes")
    return arguments


def remote_arguments(flow: str, store: str, run_id: str, config: Config, values: dict[str, str]) -> dict[str, str]:
    """The same for pods, which see no folder of this machine; ``ConfigError`` for one."""
    arguments = run_arguments(flow, store.rstrip("/"), run_id, config, values)
    for name in ("store", *_PLACES):
        if arguments.get(name) and not arguments[name].startswith("s3://"):
            raise ConfigError(
                f"{_OPTIONS.get(name, f'--{name}')} {arguments[name]!r} is a place that the cluster cannot read",
                hint="put it on the object store and give s3://BUCKET/PREFIX, or run it here with --local",
            )
    return arguments


def run_locally(
    flow: str, store: str, run_id: str, config: Config, values: dict[str, str], log: Path | None = None
) -> list[StepReport]:
    """Run ``flow`` and return what its steps report, in flow order; its log is kept in the store.

    Without ``log`` it is written to a temporary file, which stays where a run fails: the error names it.
    """
    opened = open_store(store)
    arguments = run_arguments(flow, opened.uri, run_id, config, values)
    where = log or Path(tempfile.gettempdir()) / f"clsp-{run_id}.log"
    try:
        run_flow(flow, arguments, where, Console().show)
    finally:
        opened.put_file(log_key(run_id), where)
    if log is None:
        where.unlink()
    reports = read_reports(opened, run_id)
    return [reports[step] for step in STEPS if step in reports]


def log_key(run_id: str) -> str:
    """Where a local run's log is in its store."""
    return f"logs/{run_id}.log"

"""One run of a flow on this machine, from its configuration to the reports of its steps."""

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


def run_locally(
    flow: str, store: str, run_id: str, config: Config, values: dict[str, str], log: Path | None = None
) -> list[StepReport]:
    """Run ``flow`` and return what its steps report, in flow order; ``ConfigError`` for a missing parameter."""
    if flow not in FLOWS:
        raise ConfigError(f"unknown flow {flow!r}", hint=f"choose one of {', '.join(FLOWS)}")
    opened = open_store(store)
    given = {name: value for name, value in values.items() if value or name in _OPTIONAL}
    parameters = set(FLOWS[flow].component_spec.inputs)
    arguments = flow_arguments(parameters, config, store=opened.uri, run_id=run_id, **given)
    if missing := sorted(parameters - set(arguments)):
        options = ", ".join(_OPTIONS.get(name, f"--{name}") for name in missing)
        raise ConfigError(f"flow {flow!r} needs {options}", hint="see clsp run --help for what each takes")
    where = log or Path(tempfile.gettempdir()) / f"clsp-{run_id}.log"
    run_flow(flow, arguments, where, Console().show)
    reports = read_reports(opened, run_id)
    return [reports[step] for step in STEPS if step in reports]

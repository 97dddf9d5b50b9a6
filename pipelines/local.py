"""A flow on this machine: ``kfp.local`` runs the same pipeline functions and component code as the cluster.

The flow runs in a child process, whose output is a stream of events that the caller shows; the raw stream goes to a
log file. Nothing but the standard library and KFP stands between the pipeline and its steps.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clsp.errors import ClspError
from clsp.processes import PARENT_VARIABLE, die_with_parent

Event = dict[str, Any]


@dataclass(frozen=True)
class FlowFailure:
    """Why a local flow ended: the step's own words."""

    step: str
    message: str
    hint: str
    exit_code: int


class FlowError(ClspError):
    """A step of a local flow failed; carries the step's own exit code."""

    def __init__(self, failure: FlowFailure, log: Path) -> None:
        super().__init__(
            f"step {failure.step} failed: {failure.message}", hint=failure.hint or f"the whole log is in {log}"
        )
        self.exit_code = failure.exit_code


class FlowStoppedError(ClspError):
    """The person at the keyboard ended a local flow."""

    exit_code = 130

    def __init__(self) -> None:
        super().__init__("stopped", hint="what is done is kept: the same command goes on from here")


def run_flow(flow: str, arguments: dict[str, str], log: Path, show: Callable[[Event], None]) -> None:
    """Run a flow to its end, passing every event to ``show``; raises ``FlowError`` with the failing step's reason."""
    log.parent.mkdir(parents=True, exist_ok=True)
    request = json.dumps({"flow": flow, "arguments": arguments, "parent": os.getpid()})
    environment = {**os.environ, "CLSP_LOG_FORMAT": "json", "PYTHONUNBUFFERED": "1"}
    failure: FlowFailure | None = None
    with (
        log.open("a") as file,
        subprocess.Popen(
            [sys.executable, "-m", "pipelines.local", request],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env=environment,
        ) as child,
    ):
        try:
            for event in _events(child, file):
                show(event)
                if event.get("event") == "step_failed":
                    failure = FlowFailure(event["step"], event["message"], event["hint"], event["exit_code"])
        except KeyboardInterrupt:
            raise FlowStoppedError from None
    if child.returncode:
        raise FlowError(failure or FlowFailure("?", "the flow ended without a reason", "", 1), log)


def _events(child: "subprocess.Popen[str]", log: Any) -> Iterator[Event]:
    for line in child.stdout or ():
        log.write(line)
        text = line.strip()
        if text.startswith("{"):
            try:
                event = json.loads(text)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event


def _main(request: str) -> int:
    """The child process: run one flow under kfp.local."""
    asked = json.loads(request)
    die_with_parent(asked["parent"])
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    warnings.simplefilter("ignore")
    from kfp import local

    from pipelines.flows import FLOWS

    with tempfile.TemporaryDirectory(prefix="clsp-kfp-") as root:
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root, raise_on_error=True)
        flow = FLOWS[asked["flow"]]
        for task in flow.pipeline_spec.root.dag.tasks.values():
            task.ClearField("retry_policy")  # whoever watches sees the first failure at once; the ledger keeps the rest
        try:
            flow(**asked["arguments"])
        except RuntimeError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))

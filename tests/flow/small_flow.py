"""A run of the whole flow on a very small corpus, in this process's child: what the flow tests share."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from clsp.config import Config
from clsp.storage import ObjectStore
from components.runner import StepReport
from pipelines.runs import run_locally

MARK = "CLSP_TEST_RUN"
SMALL = Path(__file__).with_name("small.yaml")


@dataclass(frozen=True)
class Flow:
    """A finished flow: its source, store and the reports of its steps by name."""

    source: Path
    config: Config
    store: ObjectStore
    reports: dict[str, StepReport]

    @property
    def manifests(self) -> dict[str, str]:
        return {name: report.manifest for name, report in self.reports.items()}


def run_small_flow(source: Path, store: str, run_id: str, config: Config) -> dict[str, StepReport]:
    values = {"source": str(source), "metadata": str(source / "metadata.csv")}
    reports = run_locally("full", store, run_id, config, values, log=source.parent / f"{run_id}.log")
    return {report.name: report for report in reports}


def start_small_flow(source: Path, store: str) -> subprocess.Popen:
    """The same by the command line, in a process group of its own whose processes all hold ``MARK`` = ``store``."""
    command = [sys.executable, "-m", "pipelines.cli", "run", "full", "--data", str(source), "--store", store]
    command += ["--metadata", str(source / "metadata.csv"), "--config", str(SMALL), "--json"]
    environment = {**os.environ, MARK: store}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
    )

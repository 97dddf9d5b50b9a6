"""A run of the whole flow on a very small corpus, in this process's child: what the flow tests share."""

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

from clsp.audio.synthesis import plan_corpus, write_corpus
from clsp.config import Config
from clsp.storage import ObjectStore
from components.runner import StepReport
from pipelines.runs import run_locally
from tests.checkout import ROOT, code_hash

MARK = "CLSP_TEST_RUN"
SMALL = Path(__file__).with_name("small.yaml")
_KNOWN = "clsp/small-flow"


def write_small_corpus(folder: Path) -> Path:
    """Six voices, five clips each, with a truth that is known."""
    write_corpus(folder, plan_corpus(seed=1, speakers=6, clips_per_speaker=5))
    return folder


@dataclass(frozen=True)
class Flow:
    """A finished flow: its source, store and the reports of its steps by name."""

    source: Path
    config: Config
    store: ObjectStore
    reports: dict[str, StepReport]

    @property
    def manifests(self) -> dict[str, str]:
        return manifests_of(self.reports)


def run_small_flow(source: Path, store: str, run_id: str, config: Config) -> dict[str, StepReport]:
    values = {"source": str(source), "metadata": str(source / "metadata.csv")}
    reports = run_locally("full", store, run_id, config, values, log=source.parent / f"{run_id}.log")
    return {report.name: report for report in reports}


def manifests_of(reports: dict[str, StepReport]) -> dict[str, str]:
    return {name: report.manifest for name, report in reports.items()}


def remember(config: pytest.Config, reports: dict[str, StepReport]) -> dict[str, str]:
    """The manifests by step, noted for a later session over the same code: a run of the flow takes a minute."""
    manifests = manifests_of(reports)
    config.cache.set(_KNOWN, {"of": _code(), "manifests": manifests})
    return manifests


def known_manifests(config: pytest.Config) -> dict[str, str]:
    """What an earlier session noted, unless code, packages or settings are others since."""
    known = config.cache.get(_KNOWN, {})
    return known["manifests"] if known.get("of") == _code() else {}


def _code() -> str:
    return f"{code_hash(ROOT / 'requirements.lock', SMALL, Path(__file__))} {version('torch')}"


def start_small_flow(source: Path, store: str) -> subprocess.Popen:
    """The same by the command line, in a process group of its own whose processes all hold ``MARK`` = ``store``."""
    command = [sys.executable, "-m", "pipelines.cli", "run", "full", "--data", str(source), "--store", store]
    command += ["--metadata", str(source / "metadata.csv"), "--config", str(SMALL), "--json"]
    environment = {**os.environ, MARK: store, "TMPDIR": str(source.parent)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=environment
    )

"""One undisturbed run of the whole flow on a very small synthetic corpus: what every other run must equal."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from clsp.audio.synthesis import plan_corpus, write_corpus
from clsp.config import Config, load_config
from clsp.storage import ObjectStore, open_store
from components.runner import StepReport
from pipelines.runs import run_locally

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


@pytest.fixture(scope="session")
def small_config() -> Config:
    return load_config(str(SMALL))


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory) -> Path:
    """Six voices, five clips each, with a truth that is known."""
    folder = tmp_path_factory.mktemp("corpus") / "audio"
    write_corpus(folder, plan_corpus(seed=1, speakers=6, clips_per_speaker=5))
    return folder


@pytest.fixture(scope="session")
def undisturbed(small_corpus, small_config, tmp_path_factory) -> Flow:
    store = str(tmp_path_factory.mktemp("undisturbed") / "store")
    reports = run_small_flow(small_corpus, store, "first", small_config)
    return Flow(small_corpus, small_config, open_store(store), reports)

"""The demo: the whole flow on one machine, then a report and three questions to the finished model.

Without recordings it synthesises speech whose pitch, rate and loudness are known. Everything it leaves is in one
folder, and running it again finds every step done.
"""

from dataclasses import dataclass
from pathlib import Path

from clsp.audio.synthesis import plan_corpus, write_corpus
from clsp.audio.synthesis.corpus import METADATA
from clsp.config import Config
from clsp.config.demo import DemoSettings
from clsp.hashing import digest_of
from clsp.progress import Progress
from clsp.storage import open_store
from components.runner import StepReport
from pipelines.arguments import new_run_id
from pipelines.console import Console
from pipelines.report import build_report, write_summary
from pipelines.runs import run_locally
from pipelines.search import ClipIndex, Hit

_COMPLETE = ".complete"


@dataclass(frozen=True)
class DemoResult:
    """What the demo leaves: the report, the answers to its queries, and the version it registered."""

    report: Path
    summary: Path
    answers: dict[str, list[Hit]]
    version: str
    steps: list[StepReport]


def run_demo(out: Path, config: Config, *, audio: str = "", metadata: str = "", store: str = "") -> DemoResult:
    """Run the full flow on ``audio`` (a folder or store prefix; synthetic speech when empty) and report on it."""
    console, run_id = Console(), new_run_id()
    out.mkdir(parents=True, exist_ok=True)
    where = store or (out / "store").absolute().as_uri()
    source, table = (audio, metadata) if audio else _synthetic_speech(out, config.demo, console)
    console.line(f"flow over {source}, hand-overs in {where}")
    values = {"source": source, "metadata": table}
    steps = run_locally("full", where, run_id, config, values, log=out / "run.log")
    opened = open_store(where)
    manifests = {step.name: step.manifest for step in steps}
    report = build_report(opened, run_id, manifests, out / "report.html")
    summary = write_summary(opened, run_id, manifests, out / "summary.json")
    version = f"{opened.uri}/models/{config.register_model.name}@{config.register_model.alias}"
    index = ClipIndex.open(version)
    answers = {query: index.search(query, config.demo.best) for query in config.demo.queries}
    return DemoResult(report, summary, answers, version, steps)


def _synthetic_speech(out: Path, settings: DemoSettings, console: Console) -> tuple[str, str]:
    plans = plan_corpus(settings.seed, settings.speakers, settings.clips_per_speaker)
    folder = out / f"audio-{digest_of([repr(plan) for plan in plans])[:8]}"
    mark = folder / _COMPLETE
    if not mark.exists():
        with Progress("synthesise", len(plans), "clips") as progress:
            write_corpus(folder, plans, progress.advance)
        mark.touch()
        console.line(f"  ✓ synthesise    {len(plans)} clips of {settings.speakers} voices")
    return str(folder), str(folder / METADATA)

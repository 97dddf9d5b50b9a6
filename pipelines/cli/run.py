"""``clsp run`` and ``clsp runs``: a flow from data to model, and what its steps did."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from clsp.config import Config, load_config
from clsp.errors import ConfigError
from pipelines.arguments import new_run_id


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("run")(run)
    app.command("runs")(runs)


def run(
    flow: Annotated[str, typer.Argument(help="full, data, training or release")],
    store: Annotated[str, typer.Option(help="Folder, file:// or s3://bucket/prefix that holds every hand-over")],
    data: Annotated[str, typer.Option(help="Folder or store prefix of recordings")] = "",
    metadata: Annotated[str, typer.Option(help="CSV, Parquet or jsonl with a row a recording")] = "",
    examples: Annotated[str, typer.Option(help="Manifest of training examples (training, release)")] = "",
    stage2: Annotated[str, typer.Option(help="Manifest of the trained model (release)")] = "",
    evaluation: Annotated[str, typer.Option(help="Manifest of the evaluation (release)")] = "",
    config: Annotated[str, typer.Option(help="Preset (published, demo) or a .yaml file")] = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON")] = False,
) -> None:
    """Run a flow on this machine; finished steps are reused, so the same command goes on after a crash.

    Example: clsp run full --data recordings/ --store s3://speech/team-a --config demo
    """
    from pipelines.runs import run_locally

    run_id = new_run_id()
    values = {"source": data, "metadata": metadata, "examples": examples, "stage2": stage2, "evaluation": evaluation}
    reports = run_locally(flow, store, run_id, _config(config), values)
    if as_json:
        typer.echo(orjson.dumps({"run": run_id, "steps": reports}, option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo(f"run {run_id} done; its steps: clsp runs {run_id} --store {store}")


def runs(
    run_id: Annotated[str, typer.Argument(help="A run, or nothing for all of them")] = "",
    store: Annotated[str, typer.Option(help="The store the run wrote to")] = "demo/store",
) -> None:
    """List the runs of a store, or the steps of one.

    Example: clsp runs --store demo/store
    """
    from clsp.storage import open_store
    from components.runner import read_reports
    from pipelines.console import Console

    opened = open_store(store)
    if not run_id:
        for name in sorted({key.split("/")[1] for key in opened.list("runs/")}):
            typer.echo(name)
        return
    reports = read_reports(opened, run_id)
    if not reports:
        raise ConfigError(f"no run {run_id!r} in {store}", hint=f"list them with: clsp runs --store {store}")
    console = Console(live=False)
    for report in reports.values():
        console.show({"event": "step_done", **vars(report)})


def _config(source: str) -> Config:
    if source.endswith((".yaml", ".yml")) and not Path(source).exists():
        raise ConfigError(f"no file {source!r}", hint="name a preset (published, demo) or an existing .yaml file")
    return load_config(source)

"""``clsp run``: a flow from data to model, on this machine or submitted to KFP."""

from typing import Annotated

import typer

from clsp.config import Config
from pipelines.arguments import new_run_id
from pipelines.cli.choices import AsJson, ConfigChoice, KfpChoice, connect_kfp, print_json, read_config


def add_commands(app: typer.Typer) -> None:
    """Register this journey's command."""
    app.command("run")(run)


def run(
    flow: Annotated[str, typer.Argument(help="full, data, training or release")],
    store: Annotated[
        str, typer.Option(envvar="CLSP_STORE", help="Folder, file:// or s3://bucket/prefix that holds every hand-over")
    ],
    data: Annotated[str, typer.Option(help="Folder or store prefix of recordings")] = "",
    metadata: Annotated[str, typer.Option(help="CSV, Parquet or jsonl with a row a recording")] = "",
    examples: Annotated[str, typer.Option(help="Manifest of training examples (training, release)")] = "",
    stage2: Annotated[str, typer.Option(help="Manifest of the trained model (release)")] = "",
    evaluation: Annotated[str, typer.Option(help="Manifest of the evaluation (release)")] = "",
    config: ConfigChoice = "demo",
    kfp: KfpChoice = "",
    local: Annotated[bool, typer.Option("--local", help="Run on this machine even where a KFP is configured")] = False,
    wait: Annotated[bool, typer.Option(help="Follow a submitted run; Ctrl-C leaves it running")] = True,
    as_json: AsJson = False,
) -> None:
    """Run a flow here, or on KFP with --kfp; finished steps are reused, so the same command goes on after a crash.

    Example: clsp run full --data s3://speech/raw --store s3://speech/team-a --kfp http://localhost:8888
    """
    settings = read_config(config)
    values = {"source": data, "metadata": metadata, "examples": examples, "stage2": stage2, "evaluation": evaluation}
    if local or not (kfp or settings.kfp.url):
        _run_here(flow, store, settings, values, as_json)
    else:
        _submit(flow, store, settings, values, kfp, wait=wait, as_json=as_json)


def _run_here(flow: str, store: str, settings: Config, values: dict[str, str], as_json: bool) -> None:
    from pipelines.runs import run_locally

    run_id = new_run_id()
    reports = run_locally(flow, store, run_id, settings, values)
    if as_json:
        print_json({"run": run_id, "steps": reports})
    else:
        typer.echo(f"run {run_id} done; its steps: clsp runs show {run_id} --store {store}")


def _submit(
    flow: str, store: str, settings: Config, values: dict[str, str], url: str, *, wait: bool, as_json: bool
) -> None:
    from pipelines.console import Console
    from pipelines.remote.following import follow
    from pipelines.remote.package import package_flow
    from pipelines.remote.placement import misplaced_account
    from pipelines.remote.runs import submit
    from pipelines.runs import remote_arguments

    run_id = new_run_id()
    arguments = remote_arguments(flow, store, run_id, settings, values)
    calls = connect_kfp(settings, url)
    if wrong := misplaced_account(calls, settings.cluster):
        typer.echo(f"warning: {wrong[0]}\n  hint: {wrong[1]}", err=True)
    started = submit(calls, package_flow(flow, settings.cluster), run_id, arguments)
    typer.echo(f"submitted {run_id}: {started.url}", err=as_json)
    if wait:
        try:
            started = follow(calls, started.id, Console().show)
        except KeyboardInterrupt:
            typer.echo(f"left running; see clsp runs show {run_id}, end it with clsp runs cancel {run_id}", err=True)
            raise typer.Exit(130) from None
    if as_json:
        print_json({"run": run_id, "kfp_run": started.id, "url": started.url, "state": started.state})
    elif wait:
        typer.echo(f"run {run_id} done; its steps: clsp runs show {run_id} --store {store}")

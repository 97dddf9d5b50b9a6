"""``clsp demo``: everything the platform does, on this machine, in minutes."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clsp.config import load_config

if TYPE_CHECKING:
    from pipelines.demo import DemoResult


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("demo")(demo)


def demo(
    out: Annotated[Path, typer.Option(help="Folder that the demo leaves everything in")] = Path("demo"),
    audio: Annotated[
        str, typer.Option(help="Your recordings: a folder or store prefix; synthetic speech without")
    ] = "",
    metadata: Annotated[str, typer.Option(help="CSV, Parquet or jsonl with a row a recording")] = "",
    store: Annotated[str, typer.Option(help="Keep the hand-overs in another store, such as s3://bucket/prefix")] = "",
    minutes: Annotated[float, typer.Option(min=0, help="Training time to aim for; 0 keeps the preset's")] = 0.0,
    config: Annotated[str, typer.Option(help="Preset or .yaml file")] = "demo",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON")] = False,
) -> None:
    """Run the whole flow on this machine and end with a report, three queries and a model to serve.

    Example: clsp demo --out demo --audio ~/recordings
    """
    from clsp.training.budget import scale_to_minutes
    from pipelines.demo import run_demo

    settings = load_config(config)
    if minutes:
        settings = settings.model_copy(update={"train": scale_to_minutes(settings.train, minutes)})
    result = run_demo(out, settings, audio=audio, metadata=metadata, store=store)
    typer.echo(result.summary.read_text() if as_json else _closing_words(result))


def _closing_words(result: "DemoResult") -> str:
    lines = ["", f"report    {result.report}", f"summary   {result.summary}", ""]
    for query, hits in result.answers.items():
        lines.append(f"“{query}”")
        lines += [f"   {hit.score:+.2f}  {hit.segment_id}  {hit.text}" for hit in hits]
    model = shlex.quote(result.version)
    lines += ["", f"serve it  clsp serve {model}", f"search it clsp search {model} 'a calm, low voice'"]
    return "\n".join(lines)

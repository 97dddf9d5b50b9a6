"""``clsp plan``: what a corpus will take and cost, before anything is started."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from clsp.config import load_config

if TYPE_CHECKING:
    from pipelines.plan import Plan


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("plan")(plan)


def plan(
    hours: Annotated[float, typer.Option(min=0.001, help="Hours of speech")],
    views: Annotated[int, typer.Option(min=1, help="Captions asked for a clip")] = 5,
    captions_per_second: Annotated[
        float, typer.Option(min=0, help="Measured captions a second of one GPU (clsp bench annotate); 0 estimates")
    ] = 0.0,
    gpus: Annotated[int, typer.Option(min=0, help="GPUs that work at once; 0 takes the configuration's")] = 0,
    gpu_hour_price: Annotated[float, typer.Option(min=0, help="Money for a GPU hour; 0 the configuration's")] = 0.0,
    config: Annotated[str, typer.Option(help="Preset or .yaml file whose section plan holds rates and prices")] = (
        "published"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON")] = False,
) -> None:
    """Turn hours, views and a rate into GPU-days, days, storage and money.

    Example: clsp plan --hours 47000 --views 5 --captions-per-second 18.5 --gpus 32
    """
    from pipelines.plan import make_plan

    settings = load_config(config).plan
    changes = {
        "captioner_tokens_per_second": captions_per_second * settings.caption_tokens,
        "gpus": gpus,
        "gpu_hour_price": gpu_hour_price,
    }
    chosen = settings.model_copy(update={name: value for name, value in changes.items() if value})
    made = make_plan(hours, views, chosen)
    if as_json:
        answer = {**asdict(made), "gpu_days": made.gpu_days, "cost": made.cost, "rates": chosen.model_dump()}
        typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo("\n".join(_lines(made, chosen.gpus, estimated=not captions_per_second)))


def _lines(made: "Plan", gpus: int, *, estimated: bool) -> list[str]:
    lines = [f"{made.hours:,g} hours, {made.clips:,} clips, {made.captions:,} captions"]
    for stage in made.stages:
        days = f"{stage.days:>8,.2f} days on {gpus}"
        lines.append(f"  {stage.name:<14} {stage.gpu_days:>10,.2f} GPU-days  {days}  {stage.cost:>12,.0f}")
    lines.append(f"  {'in all':<14} {made.gpu_days:>10,.2f} GPU-days  {'':>8} {'':>9}  {made.cost:>12,.0f}")
    lines.append(f"a million captions: {made.gpu_days_per_million_captions:.2f} GPU-days of captioning")
    lines.append(
        f"storage: audio {made.audio_gib:,.1f} GiB, captions {made.captions_gib:,.1f} GiB, vectors "
        f"{made.vectors_gib:,.1f} GiB, {made.storage_cost_per_month:,.2f} a month"
    )
    return [*lines, "rates are estimates: measure yours with clsp bench annotate"] if estimated else lines

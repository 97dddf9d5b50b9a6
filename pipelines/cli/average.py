"""``clsp average``: one model from an interval of a training run."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from clsp.errors import ConfigError


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("average")(average)


def average(
    checkpoints: Annotated[list[str], typer.Argument(help="Ends of the interval: .pt, or STORE/checkpoints/RUN@STEP")],
    out: Annotated[Path, typer.Option(help="Model directory to write; it must not exist")],
    model: Annotated[str, typer.Option(help="Directory or STORE/models/NAME@ALIAS: its shape and tokenizer")] = "",
    preset: Annotated[str, typer.Option(help="Shape, when there is no model directory: tiny … clsp-xlarge")] = "",
    period: Annotated[int, typer.Option(min=1, help="Batches between updates of an icefall average")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON")] = False,
) -> None:
    """Average the weights between two checkpoints of a run, exactly; of one checkpoint, over all of its run.

    Example: clsp average epoch-17.pt epoch-45.pt --model published --out averaged
    """
    from clsp.model import preset as named
    from clsp.model.directory import read_config
    from clsp.model.loading import local_model
    from clsp.training.averaging import interval_mean, read_running_mean, with_vocabulary, write_mean

    if (not model) == (not preset):
        raise ConfigError("the shape of the model is needed, once", hint="give --model DIR or --preset NAME")
    shape = named(preset) if preset else None
    mean = interval_mean([read_running_mean(place, period) for place in checkpoints])
    if shape is not None:
        written = write_mean(mean, with_vocabulary(shape, mean), out, None)
    else:
        with local_model(model) as folder:
            written = write_mean(mean, read_config(folder), out, folder)
    if as_json:
        typer.echo(orjson.dumps(asdict(written) | {"batches": mean.batches}).decode())
        return
    typer.echo(f"{written.folder}: mean over {mean.batches:,} batches, {mean.name}")

"""``clsp import`` and ``clsp export``: what people bring, and what they take away again."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer

from pipelines.cli.datasets import export_data, import_data

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON")]


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    importing = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Bring data and weights made elsewhere.")
    importing.command("data")(import_data)
    importing.command("model")(import_model)
    app.add_typer(importing, name="import")
    exporting = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Take data and models elsewhere.")
    exporting.command("data")(export_data)
    exporting.command("model")(export_model)
    app.add_typer(exporting, name="export")


def import_model(
    source: Annotated[Path, typer.Argument(help="CLSP, SPEAR or RoBERTa directory, or an icefall .pt")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist")],
    text: Annotated[Path | None, typer.Option(help="RoBERTa or CLSP directory whose text tower is taken")] = None,
    tokenizer: Annotated[Path | None, typer.Option(help="Folder of the tokenizer, when the source has none")] = None,
    preset: Annotated[str, typer.Option(help="Shape of what has no config.json: tiny … clsp-xlarge")] = "",
    output_downsampling: Annotated[int, typer.Option(min=0, help="Change it; 0 keeps the source's")] = 0,
    averaged: Annotated[bool, typer.Option("--averaged", help="Take an icefall checkpoint's running average")] = False,
    seed: Annotated[int, typer.Option(help="Where parts that no source brings start from")] = 0,
    as_json: Json = False,
) -> None:
    """Write a model from elsewhere as a model directory; nothing is unpickled, downloaded or executed.

    Example: clsp import model spear-xlarge-speech --text roberta-base --output-downsampling 2 --out initial
    """
    from clsp.model import preset as named
    from clsp.model.importing import ImportOptions
    from clsp.model.importing import import_model as write

    shape = named(preset) if preset else None
    options = ImportOptions(shape, text, tokenizer, output_downsampling or None, averaged, seed)
    written = write(source, out, options)
    if as_json:
        typer.echo(orjson.dumps(asdict(written)).decode())
        return
    typer.echo(f"{written.folder}: {written.kind}, {written.parameters:,} parameters in {written.tensors} tensors")
    if written.untrained:
        typer.echo(f"start from seed {seed} and need training: {', '.join(written.untrained)}")
    if not written.has_tokenizer:
        typer.echo("no tokenizer: texts need one; give --tokenizer FOLDER (roberta-base's for the published model)")


def export_model(
    version: Annotated[str, typer.Argument(help="STORE/models/NAME@ALIAS or /NAME/VERSION, or a model directory")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist")],
) -> None:
    """Write a model in the published layout.

    Example: clsp export model demo/store/models/clsp@latest --out clsp-tiny
    """
    from clsp.export import export_model as write

    typer.echo(str(write(version, out)))

"""``clsp embed`` and ``clsp search``: a finished model at work."""

from itertools import combinations, product
from pathlib import Path
from typing import Annotated

import orjson
import typer

Model = Annotated[str, typer.Argument(help="Model directory, or STORE/models/NAME@ALIAS")]
Endpoint = Annotated[str, typer.Argument(help="URL of a server, or model directory, or STORE/models/NAME@ALIAS")]


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("embed")(embed)
    app.command("search")(search)


def embed(
    model: Endpoint,
    inputs: Annotated[list[str] | None, typer.Argument(help="Recordings and descriptions, in any order")] = None,
    lines: Annotated[Path | None, typer.Option(help="File of more recordings and descriptions, a line each")] = None,
    api_key: Annotated[str, typer.Option(envvar="CLSP_API_KEY", help="Key of the server, where it wants one")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the vectors as JSON")] = False,
) -> None:
    """Embed recordings and descriptions, by a running server or in this process; print the cosine of each pair.

    Pairs are of a recording and a description; of two alike where only one kind is given. --json prints the vectors.

    Example: clsp embed http://127.0.0.1:8080 hello.wav "a calm elderly man"
    """
    from pipelines.embedding import embed_here, embed_remotely, sort_inputs

    more = [line.strip() for line in lines.read_text().splitlines() if line.strip()] if lines else []
    wanted = sort_inputs([*(inputs or []), *more])
    remote = model.startswith(("http://", "https://"))
    vectors = embed_remotely(model, wanted, api_key) if remote else embed_here(model, wanted)
    if as_json:
        typer.echo(orjson.dumps({name: vector.tolist() for name, vector in vectors.items()}).decode())
        return
    mixed = wanted.sounds and wanted.texts
    pairs = product(wanted.sounds, wanted.texts) if mixed else combinations([*wanted.sounds, *wanted.texts], 2)
    for one, other in pairs:
        typer.echo(f"{float(vectors[one] @ vectors[other]):+.4f}  {one}  {other}")


def search(
    model: Model,
    description: Annotated[str, typer.Argument(help="How the speech should sound")],
    best: Annotated[int, typer.Option(min=1, help="Clips to show")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the hits as JSON")] = False,
) -> None:
    """Rank the evaluated clips of a registered model by a description.

    Example: clsp search demo/store/models/clsp@latest "a fast, high-pitched voice"
    """
    from pipelines.search import ClipIndex

    hits = ClipIndex.open(model).search(description, best)
    if as_json:
        typer.echo(orjson.dumps(hits, option=orjson.OPT_INDENT_2).decode())
        return
    for hit in hits:
        typer.echo(f"{hit.score:+.4f}  {hit.segment_id}  {hit.text}")

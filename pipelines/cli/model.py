"""``clsp embed`` and ``clsp search``: a finished model at work."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from clsp.errors import DataError

Model = Annotated[str, typer.Argument(help="Model directory, or STORE/models/NAME@ALIAS")]


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("embed")(embed)
    app.command("search")(search)


def embed(
    model: Model,
    inputs: Annotated[list[str], typer.Argument(help="Recordings and descriptions, in any order")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the vectors as JSON")] = False,
) -> None:
    """Embed recordings and descriptions and print the cosine of each pair.

    Example: clsp embed demo/store/models/clsp@latest hello.wav "a calm elderly man"
    """
    import torch

    from clsp.audio.decode import decode
    from clsp.model.loading import load_model

    sounds = [name for name in inputs if Path(name).is_file()]
    texts = [name for name in inputs if name not in sounds]
    if unlikely := [text for text in texts if Path(text).suffix and " " not in text]:
        raise DataError(f"no file {unlikely[0]!r}", hint="give existing recordings, and descriptions in quotes")
    loaded = load_model(model)
    decoded = {name: decode(Path(name)) for name in sounds}
    vectors = {
        name: loaded.encode_speech([torch.from_numpy(sound.samples)], sampling_rate=sound.sampling_rate)[0]
        for name, sound in decoded.items()
    }
    vectors |= {text: loaded.encode_text([text])[0] for text in texts}
    if as_json:
        typer.echo(orjson.dumps({name: vector.tolist() for name, vector in vectors.items()}).decode())
        return
    for sound in sounds:
        for text in texts:
            typer.echo(f"{float(vectors[sound] @ vectors[text]):+.4f}  {sound}  {text}")


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

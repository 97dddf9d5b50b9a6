"""``clsp bench``: speeds of this machine, each beside a plain reference in the same run, as JSON."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure this machine; prints JSON.")
    group.callback()(lambda: None)
    group.command("encode")(encode)
    app.add_typer(group, name="bench")


def encode(
    presets: Annotated[list[str], typer.Option("--preset", help="tiny … clsp-xlarge; may be given again")] = ["tiny"],  # noqa: B006
    dtypes: Annotated[list[str], typer.Option("--dtype", help="float32, bfloat16; may be given again")] = ["float32"],  # noqa: B006
    device: Annotated[str, typer.Option(help="Torch device")] = "cpu",
    clips: Annotated[int, typer.Option(min=1, help="Clips of 1-10 s")] = 16,
    texts: Annotated[int, typer.Option(min=1, help="Texts of 8-96 tokens")] = 32,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds in which the ways take turns")] = 3,
    compiled: Annotated[bool, typer.Option("--compiled", help="Measure compiled towers too")] = False,
    out: Annotated[Path | None, typer.Option(help="File for the result, besides standard output")] = None,
) -> None:
    """Audio-seconds and texts a second of models with random weights: alone, batched, compiled, and called plainly.

    Example: clsp bench encode --preset tiny --preset clsp-base --dtype float32 --dtype bfloat16
    """
    import torch

    from clsp.errors import ConfigError
    from clsp.model.building import PRECISIONS
    from clsp.model.speed import Workload, bench_encode

    if unknown := [dtype for dtype in dtypes if dtype not in PRECISIONS]:
        raise ConfigError(f"unknown dtype {unknown[0]!r}", hint=f"choose from {', '.join(PRECISIONS)}")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"there is no device {device!r} here", hint="use --device cpu")
    workload = Workload(clips=clips, texts=texts, rounds=rounds)
    results = [
        asdict(bench_encode(name, PRECISIONS[dtype], device, workload, compiled=compiled))
        for name in presets
        for dtype in dtypes
    ]
    document = orjson.dumps({"workload": workload, "results": results}, option=orjson.OPT_INDENT_2)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(document + b"\n")
    typer.echo(document.decode())

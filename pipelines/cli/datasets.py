"""``clsp import data`` and ``clsp export data``: data sets as people have them, in and out."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from clsp.errors import DataError

Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON")]
Store = Annotated[str, typer.Option(help="Folder, file:// or s3://bucket/prefix that holds every hand-over")]


def import_data(
    sources: Annotated[list[Path], typer.Argument(help="Files or folders of the data set")],
    form: Annotated[
        str, typer.Option("--format", help="fcaps, emilia, paraspeechcaps, shar, webdataset, parquet or folder")
    ],
    store: Store,
    name: Annotated[str, typer.Option(help="Name of the data set, kept with its captions")],
    captions: Annotated[Path | None, typer.Option(help="Captions by id: lhotse jsonl(.gz), jsonl or Parquet")] = None,
    audio_root: Annotated[Path | None, typer.Option(help="Folder that the data set's audio paths start from")] = None,
    split: Annotated[
        str, typer.Option(help="train, dev, test, or speakers (drawn), where the data set names none")
    ] = "train",
    as_json: Json = False,
) -> None:
    """Import a data set: its clips become segments, its captions are joined by id, whatever does not fit is counted.

    Example: clsp import data --format emilia EN-B000000.tar --captions fcaps.jsonl.gz --store demo/store --name emilia
    """
    from clsp.config import IngestSettings
    from clsp.datasets.importing import Request
    from clsp.datasets.importing import import_data as run
    from clsp.storage import open_store

    if split not in {"train", "dev", "test", "speakers"}:
        raise DataError(f"unknown split {split!r}", hint="choose train, dev, test or speakers")
    request = Request(form, tuple(sources), name, captions, audio_root, split)
    imported = run(open_store(store), request, IngestSettings())
    if as_json:
        typer.echo(orjson.dumps(imported.summary(), option=orjson.OPT_INDENT_2).decode())
        return
    counts = imported.counts
    typer.echo(f"{counts.rows_in} clips in → {counts.accepted} accepted, {counts.rejected_total} rejected, "
               f"{counts.failed_total} failed")  # fmt: skip
    for reason, count in {**counts.rejected, **counts.failed}.items():
        typer.echo(f"  {reason} {count}")
    for what, ids in (("clips without captions", imported.unmatched_audio),
                      ("captions without clips", imported.unmatched_captions)):  # fmt: skip
        if ids:
            typer.echo(f"{len(ids)} {what}: {', '.join(ids[:5])}{' …' if len(ids) > 5 else ''}")
    typer.echo(f"manifest {imported.manifest}")


def export_data(
    manifests: Annotated[list[str], typer.Argument(help="Manifest of segments, and of captions where they are others")],
    form: Annotated[str, typer.Option("--format", help="fcaps, webdataset or parquet")],
    out: Annotated[Path, typer.Option(help="Folder to write")],
    store: Store = "demo/store",
    as_json: Json = False,
) -> None:
    """Write a data set for other trainers; importing what was exported gives the same rows.

    Example: clsp export data 9f3a… --format webdataset --out shards/ --store demo/store
    """
    from clsp.datasets.exporting import export_data as run
    from clsp.storage import open_store

    written = [str(path) for path in run(open_store(store), manifests, form, out)]
    typer.echo(orjson.dumps({"files": written}).decode() if as_json else "\n".join(written))

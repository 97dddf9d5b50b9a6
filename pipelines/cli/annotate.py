"""``clsp annotate`` and ``clsp verify``: captions and verdicts for a manifest, without a flow around them."""

import os
from typing import Annotated

import orjson
import typer

from clsp.config import EndpointSettings, load_config
from clsp.config.captions import EMBEDDED
from clsp.errors import ConfigError
from clsp.storage.ledger import Share

Store = Annotated[str, typer.Option(help="Folder, file:// or s3://bucket/prefix that holds every hand-over")]
Config = Annotated[str, typer.Option(help="Preset (published, demo, emilia, paraspeechcaps) or a .yaml file")]
Json = Annotated[bool, typer.Option("--json", help="Print the manifest and its sums as JSON")]
Concurrency = Annotated[int, typer.Option(min=0, help="Most requests in flight at once; 0 keeps the configuration's")]
Rank = Annotated[
    int, typer.Option(min=-1, help="Which worker this is, from 0; -1 takes JOB_COMPLETION_INDEX, or the only one")
]
Of = Annotated[int, typer.Option(min=1, help="How many workers share the work; each ends with the whole manifest")]


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    app.command("annotate")(annotate)
    app.command("verify")(verify)


def annotate(
    manifest: Annotated[str, typer.Argument(help="Manifest of segments, from ingest or clsp import data")],
    captioner_url: Annotated[
        str, typer.Option(help="Base URLs ending in /v1, by commas; 'embedded' is the describer")
    ] = EMBEDDED,
    captioner_model: Annotated[str, typer.Option(help="Model name at the endpoint")] = "",
    views: Annotated[int, typer.Option(min=0, help="Fine captions a clip; 0 keeps the configuration's")] = 0,
    enough: Annotated[int, typer.Option(min=0, help="Stop when so many of a clip's captions keep the rules")] = 0,
    concurrency: Concurrency = 0,
    rank: Rank = -1,
    of: Of = 1,
    store: Store = "demo/store",
    config: Config = "published",
    as_json: Json = False,
) -> None:
    """Caption every segment of a manifest in several views; a killed run goes on where it stopped.

    Several workers share the work when each is started with its --rank and the same --of.

    Example: clsp annotate 9f3a… --captioner-url http://gpu:8000/v1 --captioner-model qwen3-omni --views 5
    """
    from components.annotate.main import run

    settings = load_config(config).annotate
    captioner = _endpoint(settings.captioner, captioner_url, captioner_model, concurrency)
    asked = {"views": views or settings.views, "enough": enough or settings.enough}
    changed = settings.model_copy(update={"captioner": captioner, **asked})
    name = run(
        store=store, run_id=_run_id(), settings=changed.model_dump_json(), segments=manifest, share=_share(rank, of)
    )
    _tell(store, name, as_json)


def verify(
    manifest: Annotated[str, typer.Argument(help="Manifest of captions, from annotate or clsp import data")],
    verifier_url: Annotated[
        str, typer.Option(help="Base URLs ending in /v1, by commas; 'embedded' is the describer")
    ] = EMBEDDED,
    verifier_model: Annotated[str, typer.Option(help="Model name at the endpoint")] = "",
    segments: Annotated[str, typer.Option(help="Manifest of their segments; found from the captions' without")] = "",
    concurrency: Concurrency = 0,
    rank: Rank = -1,
    of: Of = 1,
    store: Store = "demo/store",
    config: Config = "published",
    as_json: Json = False,
) -> None:
    """Judge every caption of a manifest: rules first, then the verifier's checklist; each rejection names its item.

    Example: clsp verify 4c71… --verifier-url http://gpu:8001/v1 --verifier-model qwen3-30b-thinking
    """
    from components.verify.main import run

    settings = load_config(config).verify
    verifier = _endpoint(settings.verifier, verifier_url, verifier_model, concurrency)
    changed = settings.model_copy(update={"verifier": verifier})
    heard = segments or _segments_of(store, manifest)
    name = run(
        store=store,
        run_id=_run_id(),
        settings=changed.model_dump_json(),
        segments=heard,
        captions=manifest,
        share=_share(rank, of),
    )
    _tell(store, name, as_json)


def _endpoint(settings: EndpointSettings, url: str, model: str, concurrency: int) -> EndpointSettings:
    given = {"url": url, "model": model, "concurrency": concurrency}
    return settings.model_copy(update={name: value for name, value in given.items() if value})


def _share(rank: int, of: int) -> Share:
    place = rank if rank >= 0 else int(os.environ.get("JOB_COMPLETION_INDEX", "0"))
    if place >= of:
        raise ConfigError(f"there is no worker {place} of {of}", hint="ranks go from 0 to one less than --of")
    return Share(place, of)


def _run_id() -> str:
    from pipelines.arguments import new_run_id

    return new_run_id()


def _segments_of(store: str, captions: str) -> str:
    """The manifest of the captions' segments: their parent, or their own where both were imported together."""
    from clsp.storage import open_store
    from clsp.storage.manifest import load_manifest

    manifest = load_manifest(open_store(store), captions)
    return captions if manifest.of_kind("segments") or not manifest.parents else manifest.parents[0]


def _tell(store: str, name: str, as_json: bool) -> None:
    from clsp.storage import open_store
    from clsp.storage.manifest import load_manifest

    counts = load_manifest(open_store(store), name).counts
    if as_json:
        sums = {**counts.model_dump(), "rejected": counts.rejected_total, "failed": counts.failed_total}
        reasons = {**counts.rejected, **counts.failed}
        typer.echo(orjson.dumps({"manifest": name, **sums, "reasons": reasons}, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(f"{counts.rows_in} {counts.unit} in → {counts.accepted} accepted, {counts.rejected_total} rejected, "
               f"{counts.failed_total} failed")  # fmt: skip
    for reason, count in {**counts.rejected, **counts.failed}.items():
        typer.echo(f"  {reason} {count}")
    typer.echo(f"manifest {name}")

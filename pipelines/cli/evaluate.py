"""``clsp evaluate``: the published protocols on a finished model, with intervals, as JSON, Markdown and HTML."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from clsp.config import EvaluationSettings

Model = Annotated[str, typer.Argument(help="Model directory, or STORE/models/NAME@ALIAS")]
Out = Annotated[Path, typer.Option(help="Folder for evaluation.json, .md and .html")]
Root = Annotated[Path | None, typer.Option(help="Folder that the table's audio paths start from")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON")]


def add_commands(app: typer.Typer) -> None:
    """Register this journey's commands."""
    group = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Score a model by the published protocols.")
    group.command("retrieval")(retrieval)
    group.command("zero-shot")(zero_shot)
    group.command("similarity")(similarity)
    group.command("select")(select)
    group.command("captions")(captions)
    app.add_typer(group, name="evaluate")


def retrieval(
    model: Model,
    pairs: Annotated[Path, typer.Argument(help="CSV, jsonl or Parquet with columns audio, fine and/or global")],
    out: Out = Path("evaluation"),
    audio_root: Root = None,
    as_json: Json = False,
) -> None:
    """Retrieval between recordings and captions, both ways, with a shuffled control.

    Example: clsp evaluate retrieval demo/store/models/clsp@latest pairs.csv --out evaluation
    """
    from clsp.evaluation.protocols import evaluate_retrieval
    from clsp.evaluation.tables import read_pairs
    from clsp.model.loading import load_model

    rows = read_pairs(pairs, audio_root)
    _leave(evaluate_retrieval(load_model(model), rows, EvaluationSettings()), "Retrieval", out, as_json)


def captions(
    first: Annotated[str, typer.Argument(help="Manifest of captions A")],
    second: Annotated[str, typer.Argument(help="Manifest of captions B, of the same segments")],
    segments: Annotated[str, typer.Option(help="Manifest of the segments")],
    judge_url: Annotated[str, typer.Option(help="Base URLs ending in /v1, by commas, of a model that hears")],
    judge_model: Annotated[str, typer.Option(help="Model name at the endpoint")],
    rounds: Annotated[int, typer.Option(min=1, help="Judgements a clip, each in an order of its own")] = 5,
    clips: Annotated[int, typer.Option(min=1, help="Most clips to judge")] = 1000,
    store: Annotated[
        str, typer.Option(help="Folder, file:// or s3://bucket/prefix that holds the manifests")
    ] = "demo/store",
) -> None:
    """Which of two caption sets a judge finds more correct, complete and natural, with intervals, as JSON.

    Example: clsp evaluate captions 4c71… 9f3a… --segments 77aa… --judge-url http://gpu:8000/v1 --judge-model qwen3-omni
    """
    from dataclasses import asdict

    from clsp.evaluation.judging import judge_captions
    from clsp.storage import open_store

    found = judge_captions(open_store(store), (first, second), segments, judge_url, judge_model, rounds, clips)
    typer.echo(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2).decode())


def zero_shot(
    model: Model,
    data: Annotated[Path, typer.Argument(help="Folder of the corpus as it is downloaded")],
    benchmark: Annotated[str, typer.Option(help="ravdess-emotion, ravdess-gender, crema-d-age, iemocap-emotion, …")],
    out: Out = Path("evaluation"),
    as_json: Json = False,
) -> None:
    """Name each clip's class by the nearest prompt; WA, UAR and the confusion.

    Example: clsp evaluate zero-shot demo/store/models/clsp@latest ~/RAVDESS --benchmark ravdess-gender
    """
    from clsp.evaluation.protocols import evaluate_zero_shot
    from clsp.evaluation.zero_shot import benchmark as named
    from clsp.model.loading import load_model

    chosen = named(benchmark)
    result = evaluate_zero_shot(load_model(model), chosen, data, EvaluationSettings())
    _leave(result, f"Zero-shot {benchmark}", out, as_json)


def similarity(
    model: Model,
    ratings: Annotated[Path, typer.Argument(help="Table with columns audio, caption, rating and perhaps category")],
    out: Out = Path("evaluation"),
    audio_root: Root = None,
    as_json: Json = False,
) -> None:
    """How well cosines agree with people's ratings: Pearson, Spearman, Kendall by category.

    Example: clsp evaluate similarity demo/store/models/clsp@latest ratings.csv --audio-root ~/clips
    """
    from clsp.evaluation.protocols import evaluate_similarity
    from clsp.evaluation.tables import read_ratings
    from clsp.model.loading import load_model

    rows = read_ratings(ratings, audio_root)
    _leave(evaluate_similarity(load_model(model), rows, EvaluationSettings()), "Style similarity", out, as_json)


def select(
    models: Annotated[list[str], typer.Argument(help="Model directories or registered versions to choose from")],
    store: Annotated[str, typer.Option(help="Store that holds the examples")],
    examples: Annotated[str, typer.Option(help="Manifest of the examples")],
    split: Annotated[str, typer.Option(help="Split to choose on; the test split is refused")] = "dev",
    as_json: Json = False,
) -> None:
    """Rank models on the dev split; the test split is for reporting and refused here.

    Example: clsp evaluate select epoch-40 epoch-45 --store demo/store --examples 9f3a…
    """
    from clsp.evaluation.selection import select as choose
    from clsp.storage import open_store

    ranked = choose(open_store(store), examples, models, split, EvaluationSettings())
    if as_json:
        typer.echo(orjson.dumps(ranked, option=orjson.OPT_INDENT_2).decode())
        return
    for candidate in ranked:
        typer.echo(f"{100 * candidate.r1:5.1f} %  mean R@1  {candidate.model}")


def _leave(result: dict[str, Any], title: str, out: Path, as_json: bool) -> None:
    from clsp.evaluation.written import write_result

    written = write_result(out, title, result)
    if as_json:
        typer.echo(orjson.dumps(result, option=orjson.OPT_INDENT_2).decode())
        return
    typer.echo(next(path for path in written if path.suffix == ".md").read_text())
    typer.echo("\n".join(str(path) for path in written))

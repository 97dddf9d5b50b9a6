"""The evaluation as files: JSON for programs, Markdown for the model card and for people."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import JsonValue

_TITLES = {"speech_to_text": "speech → text", "text_to_speech": "text → speech"}


def write_evaluation(folder: Path, info: Mapping[str, JsonValue]) -> None:
    """Write ``evaluation.json`` and ``evaluation.md`` for the info of an evaluate manifest."""
    folder.joinpath("evaluation.json").write_bytes(orjson.dumps(info, option=orjson.OPT_INDENT_2))
    folder.joinpath("evaluation.md").write_text("\n".join(_lines(info)) + "\n")


def retrieval_rows(info: Mapping[str, Any]) -> Iterator[list[str]]:
    """Header and rows of the retrieval table, figures in percent; ``info`` holds "retrieval" and "control"."""
    yield [
        "captions", "direction", "R@1 (interval)", "R@5", "R@10", "mAP@10", "median rank", "chance", "shuffled R@1",
    ]  # fmt: skip
    for kind, directions in info["retrieval"].items():
        for direction, scores in directions.items():
            yield _row(kind, direction, scores, info["control"][kind][direction])


def _lines(info: Mapping[str, Any]) -> Iterator[str]:
    yield "# Retrieval on held-out speakers"
    yield ""
    yield f"Split `{info['split']}`: {info['clips']} clips of {info['speakers']} speakers. Figures in percent."
    yield ""
    header, *rows = retrieval_rows(info)
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""
    yield "Ties share credit. Intervals resample queries; the shuffled one is where random pairings fall."


def _row(kind: str, direction: str, scores: Mapping[str, float], control: Mapping[str, float]) -> list[str]:
    return [
        kind, _TITLES[direction], _with_interval(scores), _percent(scores["r5"]), _percent(scores["r10"]),
        _percent(scores["map10"]), f"{scores['median_rank']:g} of {scores['n']}", _percent(scores["chance"]),
        _with_interval(control),
    ]  # fmt: skip


def _with_interval(scores: Mapping[str, float]) -> str:
    return f"{_percent(scores['r1'])} ({_percent(scores['r1_low'])}–{_percent(scores['r1_high'])})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"

"""A protocol's result as files: JSON for programs, Markdown for a model card, one HTML page for a reader."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from clsp.evaluation.writing import retrieval_rows

Row = Sequence[str]


@dataclass(frozen=True)
class Table:
    """What both documents show: a caption, a header and rows of text."""

    title: str
    header: Row
    rows: Sequence[Row]


def write_result(folder: Path, title: str, result: Mapping[str, Any]) -> list[Path]:
    """Write ``evaluation.json``, ``.md`` and ``.html`` for a result of ``protocols`` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = list(_tables(result))
    contents = {
        "evaluation.json": orjson.dumps(result, option=orjson.OPT_INDENT_2),
        "evaluation.md": _markdown(title, tables).encode(),
        "evaluation.html": _html(title, tables).encode(),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def _tables(result: Mapping[str, Any]) -> Iterator[Table]:
    if "retrieval" in result:
        header, *scores = retrieval_rows(result)
        yield Table(f"Retrieval over {result['clips']:,} clips, percent", header, scores)
    if "wa" in result:
        yield Table(
            f"{result['benchmark']}: {result['clips']:,} clips of {result['speakers']} speakers, percent",
            ("measure", "value", "interval", "chance"),
            [_measured(name.upper(), result[name], 100, f"{100 * result['chance']:.1f}") for name in ("wa", "uar")],
        )
        yield _confusion(result["confusion"])
    if "categories" in result:
        rows = [
            (category, str(scores["pairs"]), *_measured(name, scores[name], 1))
            for category, scores in result["categories"].items()
            for name in ("pearson", "spearman", "kendall")
        ]
        yield Table("Agreement with people", ("category", "pairs", "measure", "value", "interval"), rows)


def _confusion(counts: Mapping[str, Mapping[str, int]]) -> Table:
    rows = [(truth, *(str(count) for count in answers.values())) for truth, answers in counts.items()]
    return Table("Clips by true class (rows) and answer (columns)", ("", *counts), rows)


def _measured(name: str, score: Mapping[str, float], factor: float, *more: str) -> tuple[str, ...]:
    digits = 1 if factor > 1 else 3
    value, low, high = (f"{factor * score[key]:.{digits}f}" for key in ("value", "low", "high"))
    return (name, value, f"{low} to {high}", *more)


def _markdown(title: str, tables: Sequence[Table]) -> str:
    lines = [f"# {title}"]
    for table in tables:
        lines += ["", f"## {table.title}", "", *(_line(row) for row in (table.header, ["---"] * len(table.header)))]
        lines += [_line(row) for row in table.rows]
    return "\n".join([*lines, "", "Intervals are bootstrap intervals over clips.", ""])


def _line(row: Row) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _html(title: str, tables: Sequence[Table]) -> str:
    style = files("clsp.evaluation").joinpath("written.css").read_text()
    body = "".join(_html_table(table) for table in tables)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style>'
        f"<main><h1>{escape(title)}</h1>{body}<p>Intervals are bootstrap intervals over clips.</p></main></html>"
    )


def _html_table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.header)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return (
        f'<section><h2>{escape(table.title)}</h2><div class="scroll"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )

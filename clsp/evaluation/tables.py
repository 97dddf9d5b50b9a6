"""Input tables of the protocols: pairs of recordings and captions, and people's ratings of them.

CSV, jsonl or Parquet, told by their ending; paths are relative to the table's folder unless a root is given.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from clsp.errors import DataError

_READERS = {
    ".csv": pyarrow.csv.read_csv,
    ".jsonl": pyarrow.json.read_json,
    ".parquet": pyarrow.parquet.read_table,
}


@dataclass(frozen=True)
class Pair:
    """One recording with its captions; '' where it has none of that kind."""

    path: Path
    fine: str
    overall: str


@dataclass(frozen=True)
class Rated:
    """How well people found that a caption fits a recording: the mean of their ratings, in a category."""

    path: Path
    caption: str
    category: str
    rating: float


def read_pairs(table: Path, root: Path | None = None) -> list[Pair]:
    """Rows with ``audio`` and ``fine`` and/or ``global``; ``DataError`` for a table that has neither."""
    rows = _rows(table, {"audio"}, root)
    pairs = [Pair(row["audio"], str(row.get("fine") or ""), str(row.get("global") or "")) for row in rows]
    if not any(pair.fine or pair.overall for pair in pairs):
        raise DataError(f"no row of {table} has a caption", hint="give a column 'fine', 'global', or both")
    return pairs


def read_ratings(table: Path, root: Path | None = None) -> list[Rated]:
    """Rows with ``audio``, ``caption``, ``rating`` and perhaps ``category``; several ratings of a pair are averaged."""
    ratings: defaultdict[tuple[str, Path, str], list[float]] = defaultdict(list)
    for row in _rows(table, {"audio", "caption", "rating"}, root):
        ratings[(str(row.get("category") or "all"), row["audio"], str(row["caption"]))].append(_rating(row))
    return [
        Rated(path, caption, category, sum(values) / len(values))
        for (category, path, caption), values in ratings.items()
    ]


def _rating(row: Mapping[str, Any]) -> float:
    try:
        rating = float(row["rating"])
    except (TypeError, ValueError):
        rating = math.nan
    if not math.isfinite(rating):
        raise DataError(
            f"the rating of {row['audio']} is {row['rating']!r}", hint="give a number, or leave the row out"
        )
    return rating


def _rows(table: Path, needed: set[str], root: Path | None) -> Sequence[Mapping[str, Any]]:
    reader = _READERS.get(table.suffix)
    if reader is None or not table.is_file():
        raise DataError(f"cannot read the table {table}", hint=f"give an existing {', '.join(_READERS)} file")
    try:
        rows: list[dict[str, Any]] = reader(table).to_pylist()
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{table} is no table: {error}", hint="write it again from its source") from error
    if missing := needed - set(rows[0] if rows else ()):
        raise DataError(f"{table} has no column {', '.join(sorted(missing))}", hint="see clsp evaluate --help")
    return [{**row, "audio": (root or table.parent) / str(row["audio"])} for row in rows]

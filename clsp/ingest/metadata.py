"""What people wrote down about recordings: a table of CSV, Parquet or jsonl, a row a file.

Known columns become fields of a segment, under the names that public data sets give them; the others become tags.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from clsp.errors import DataError
from clsp.hashing import canonical_json
from clsp.storage import open_store

FILE_COLUMNS = ("file", "file_name", "filename", "path", "audio_path", "relative_audio_path", "id", "key")
FIELD_COLUMNS = {
    "transcript": ("transcript", "transcription", "text", "sentence"),
    "speaker": ("speaker", "speaker_id", "speakerid", "client_id"),
    "gender": ("gender", "sex"),
    "accent": ("accent", "accents"),
    "language": ("language", "lang", "locale"),
    "licence": ("licence", "license"),
}
_ENCODINGS = ("utf-8-sig", "cp1252")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Entry:
    """What is known of one recording; '' where nothing is."""

    file: str
    transcript: str = ""
    speaker: str = ""
    gender: str = ""
    accent: str = ""
    language: str = ""
    licence: str = ""
    tags: tuple[tuple[str, str], ...] = ()


def fetch_metadata(uri: str) -> bytes:
    """The bytes of the table at a path, ``file://`` or ``s3://`` address."""
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        parent, _, name = uri.rpartition("/")
        return open_store(parent).get(name)
    try:
        return Path(parts.path if parts.scheme == "file" else uri).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read metadata {uri}: {error.strerror}", hint="check the path") from error


def parse_metadata(data: bytes, name: str) -> list[Entry]:
    """Entries of a table, whose format ``name`` ends with; ``DataError`` when it is none or has no file column."""
    suffix = PurePosixPath(name).suffix.lower()
    readers = {".csv": _csv_rows, ".tsv": _csv_rows, ".jsonl": _jsonl_rows, ".parquet": _parquet_rows}
    if suffix not in readers:
        raise DataError(f"metadata {name!r} is no table", hint=f"give one of {', '.join(readers)}")
    return [_entry(row, name) for row in readers[suffix](data)]


def _csv_rows(data: bytes) -> Iterable[dict[str, Any]]:
    text = _decoded(data)
    first = text.partition("\n")[0]
    delimiter = max(",;\t|", key=first.count)
    try:
        return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise DataError(f"metadata is no CSV: {error}", hint="write it again as UTF-8 CSV with a header") from error


def _decoded(data: bytes) -> str:
    encodings = ("utf-16",) if data.startswith(_UTF16_MARKS) else _ENCODINGS
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError("metadata is in no known encoding", hint="write it as UTF-8")


def _jsonl_rows(data: bytes) -> Iterable[dict[str, Any]]:
    rows = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        if line.strip():
            rows.append(_json_row(line, number))
    return rows


def _json_row(line: bytes, number: int) -> dict[str, Any]:
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise DataError(f"metadata line {number} is no JSON: {error}", hint="write one object a line") from error
    if not isinstance(row, dict):
        raise DataError(f"metadata line {number} is no JSON object", hint="write one object a line")
    return row


def _parquet_rows(data: bytes) -> Iterable[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(data)).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise DataError("metadata is no Parquet", hint="write it again, or give CSV or jsonl") from error
    return rows


def _entry(row: dict[str, Any], name: str) -> Entry:
    values = {str(key).strip().lower(): _text(value) for key, value in row.items() if key is not None}
    column = _first(values, FILE_COLUMNS)
    if column is None:
        raise DataError(
            f"metadata {name!r} has no file column: {', '.join(sorted(values)[:8])}",
            hint=f"name it one of {', '.join(FILE_COLUMNS)}",
        )
    file = values.pop(column)
    chosen = {field: _first(values, columns) for field, columns in FIELD_COLUMNS.items()}
    fields = {field: values.pop(column) for field, column in chosen.items() if column is not None}
    tags = tuple(sorted((key, value) for key, value in values.items() if value and key))
    return Entry(file=file, tags=tags, **fields)


def _first(values: dict[str, str], columns: Iterable[str]) -> str | None:
    return next((column for column in columns if column in values), None)


def _text(value: Any) -> str:
    """A cell as text: nothing as '', 3.0 as '3' (a column of integers with gaps), structures as JSON."""
    if value is None or value != value:  # noqa: PLR0124  NaN is the only value that differs from itself
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, dict | list):
        return canonical_json(value).decode()
    return str(value).strip()

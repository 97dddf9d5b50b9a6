"""Typed rows as Parquet bytes: the same rows always give the same bytes.

The Arrow schema is read off the dataclass, so a record type is written once, in ``clsp.records``.
"""

import io
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from clsp.errors import DataError

Row = TypeVar("Row")

_SCALARS: dict[Any, Any] = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def arrow_schema(record: type) -> Any:
    """Arrow schema of a dataclass of str, int, float, bool, tuples and dicts of them, and ``X | None``."""
    hints = typing.get_type_hints(record)
    return pa.schema([pa.field(field.name, _arrow_type(hints[field.name])) for field in fields(record)])


def _arrow_type(hint: Any) -> Any:
    if hint in _SCALARS:
        return _SCALARS[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _arrow_type(next(argument for argument in arguments if argument is not type(None)))
    if origin is typing.Literal:
        return pa.string()
    if origin is tuple:
        return pa.list_(_arrow_type(arguments[0]))
    if origin is dict:
        return pa.map_(_arrow_type(arguments[0]), _arrow_type(arguments[1]))
    raise TypeError(f"no column type for {hint}")


def encode_rows(record: type[Row], rows: Sequence[Row]) -> bytes:
    """Parquet bytes of ``rows``, one column a field."""
    names = [field.name for field in fields(record)]  # type: ignore[arg-type]
    columns = {name: [_plain(getattr(row, name)) for row in rows] for name in names}
    table = pa.table(columns, schema=arrow_schema(record))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def decode_rows(record: type[Row], data: bytes) -> list[Row]:
    """Rows of Parquet bytes; ``DataError`` when the columns are not those of ``record``."""
    return list(map(row_maker(record), decode_table(record, data).to_pylist()))


def decode_table(record: type, data: bytes) -> Any:
    """Arrow table of Parquet bytes; ``DataError`` when the columns are not those of ``record``."""
    try:
        table = pq.read_table(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise DataError(
            f"a shard of {record.__name__} is not Parquet", hint="it is torn or altered: run the step again"
        ) from error
    if table.schema.names != arrow_schema(record).names:
        raise DataError(
            f"a shard does not hold {record.__name__} rows: columns {table.schema.names}",
            hint="it was written by another version: run the step that made it again",
        )
    return table


def row_maker(record: type[Row]) -> Callable[[Mapping[str, Any]], Row]:
    """What makes a row of the values that Arrow holds for it."""
    makers = _makers(record)
    return lambda values: record(**{key: makers[key](value) for key, value in values.items()})


def _makers(record: type) -> dict[str, Any]:
    hints = typing.get_type_hints(record)
    return {field.name: _maker(hints[field.name]) for field in fields(record)}


def _maker(hint: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin is tuple:
        return lambda value: tuple(value or ())
    if origin is dict:
        return lambda value: dict(value or ())
    return lambda value: value


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, dict):
        return sorted(value.items())
    return value


def in_chunks(items: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Lists of at most ``size`` consecutive items."""
    chunk: list[Row] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk

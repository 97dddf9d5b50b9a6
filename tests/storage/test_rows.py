"""Typed rows survive Parquet, and the same rows are the same bytes."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.errors import DataError
from clsp.records import Caption, Example, Failure, ModelVersion, Segment, Verdict
from clsp.storage.rows import arrow_schema, decode_rows, encode_rows, in_chunks

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NUMBER = st.floats(allow_nan=False, width=64)
EXAMPLES = st.builds(
    Example, segment_id=TEXT, split=st.sampled_from(["train", "dev", "test"]), speaker=TEXT, duration_s=NUMBER,
    licence=TEXT, language=TEXT, fine=TEXTS, overall=TEXTS,
    audio_key=TEXT, audio_offset=st.integers(0, 2**40), audio_length=st.integers(0, 2**40),
    measures=st.dictionaries(TEXT, NUMBER, max_size=3),
)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(EXAMPLES, max_size=5))
def test_rows_survive(rows):
    data = encode_rows(Example, rows)
    assert decode_rows(Example, data) == rows
    assert encode_rows(Example, decode_rows(Example, data)) == data


@given(st.permutations(["b", "a", "c"]))
def test_the_order_of_a_map_does_not_show(names):
    measures = dict.fromkeys(names, 1.0)
    row = Example("i", "train", "s", 1.0, "l", "en", (), (), "k", 0, 1, measures)
    sorted_row = Example("i", "train", "s", 1.0, "l", "en", (), (), "k", 0, 1, dict(sorted(measures.items())))
    assert encode_rows(Example, [row]) == encode_rows(Example, [sorted_row])


@pytest.mark.parametrize("record", [Segment, Caption, Verdict, Example, Failure, ModelVersion])
def test_every_record_has_columns(record):
    assert decode_rows(record, encode_rows(record, [])) == []


def test_foreign_bytes_and_columns_are_refused():
    with pytest.raises(DataError, match="not Parquet"):
        decode_rows(Failure, b"no parquet at all")
    with pytest.raises(DataError, match="does not hold Verdict"):
        decode_rows(Verdict, encode_rows(Failure, []))


def test_a_type_without_a_column_is_refused():
    @dataclass(frozen=True)
    class Odd:
        value: complex

    with pytest.raises(TypeError, match="no column type"):
        arrow_schema(Odd)


@given(st.lists(st.integers(), max_size=20), st.integers(1, 7))
def test_chunks_hold_everything_in_order(items, size):
    chunks = list(in_chunks(items, size))
    assert [item for chunk in chunks for item in chunk] == items
    assert all(len(chunk) == size for chunk in chunks[:-1])
    assert all(0 < len(chunk) <= size for chunk in chunks)

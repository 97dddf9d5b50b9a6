"""Tables as people write them: formats, encodings, delimiters, spellings of columns."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clsp.errors import DataError
from clsp.ingest.metadata import Entry, fetch_metadata, parse_metadata

FULL = Entry("a.wav", "Grüße, Welt", "s1", "female", "bavarian", "de", "cc0", (("mood", "calm"), ("year", "2020")))
COLUMNS = "file,transcript,speaker,gender,accent,language,licence,mood,year"
CELLS = 'a.wav,"Grüße, Welt",s1,female,bavarian,de,cc0,calm,2020'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_in_any_encoding(encoding):
    assert parse_metadata(f"{COLUMNS}\r\n{CELLS}\r\n".encode(encoding), "m.csv") == [FULL]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_other_delimiters(delimiter):
    table = "\n".join(line.replace(",", delimiter) for line in ("File,Speaker_ID,sex", "a.wav,7,male"))
    assert parse_metadata(table.encode(), "m.tsv") == [Entry("a.wav", speaker="7", gender="male")]


def test_jsonl_and_parquet_say_the_same():
    row = {"file_name": "a", "text": "hi", "client_id": 3.0, "lang": None, "pitch": [1, 2], "ok": True, "empty": ""}
    want = [Entry("a", transcript="hi", speaker="3", tags=(("ok", "true"), ("pitch", "[1,2]")))]
    line = b'{"file_name":"a","text":"hi","client_id":3.0,"lang":null,"pitch":[1,2],"ok":true,"empty":""}'
    assert parse_metadata(b"\xef\xbb\xbf" + line + b"\n\n", "m.jsonl") == want
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), sink)
    assert parse_metadata(sink.getvalue(), "m.PARQUET") == want


def test_the_first_spelling_wins_and_the_other_is_a_tag():
    (entry,) = parse_metadata(b"path,transcript,text\nx,one,two\n", "m.csv")
    assert (entry.transcript, entry.tags) == ("one", (("text", "two"),))


def test_gaps_and_surplus_cells_do_no_harm():
    entries = parse_metadata(b"file,speaker\na\nb,s,surplus\n,\n", "m.csv")
    assert entries == [Entry("a"), Entry("b", speaker="s"), Entry("")]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("m.xlsx", b"", "no table"),
        ("m.csv", b"name,speaker\nx,y\n", "no file column: name, speaker"),
        ("m.csv", b"file,a\nx,\x81\x8d\n", "no known encoding"),
        ("m.jsonl", b'{"file": "a"}\nnot json\n', "line 2"),
        ("m.jsonl", b"[1]\n", "line 1 is no JSON object"),
        ("m.jsonl", b'{"file": "a", "mood": "\\ud83d"}', "line 1"),
        ("m.parquet", b"PAR1 but not really", "no Parquet"),
        ("m.parquet", b"", "no Parquet"),
    ],
)
def test_what_is_no_table_is_an_error_that_says_where(name, data, message):
    with pytest.raises(DataError, match=message) as caught:
        parse_metadata(data, name)
    assert caught.value.hint


def test_an_empty_table_knows_nothing():
    assert parse_metadata(b"", "m.csv") == []
    assert parse_metadata(b"file,speaker\n", "m.csv") == []


def test_tables_come_from_files_and_stores(tmp_path, s3_store):
    (tmp_path / "m.csv").write_bytes(b"file\n")
    s3_store.put_blob("m.csv", b"file\n")
    for uri in (str(tmp_path / "m.csv"), f"file://{tmp_path}/m.csv", f"{s3_store.uri}/m.csv"):
        assert fetch_metadata(uri) == b"file\n"
    with pytest.raises(DataError, match="cannot read metadata"):
        fetch_metadata(str(tmp_path / "nowhere.csv"))

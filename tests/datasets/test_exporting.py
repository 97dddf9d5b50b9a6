"""Exports can be read by others, and importing one gives the rows that went out."""

from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clsp.config import IngestSettings
from clsp.datasets.exporting import export_data
from clsp.datasets.importing import Request, import_data
from clsp.errors import ConfigError, DataError
from clsp.records import Caption, Segment
from clsp.storage import open_store
from clsp.storage.audio_shards import ByteRange, read_sound
from clsp.storage.manifest import load_manifest, read_rows
from tests.datasets import published

CLIPS = ["plain", "with/slash", "with space and “signs”", "ünïcode"]


@pytest.fixture
def finished(store, tmp_path):
    """A data set with odd ids, stretches, tags and captions of a model."""
    manifest = published.fcaps(tmp_path / "in", [f"c{number}" for number in range(len(CLIPS))])
    cuts = [published.cut(clip, f"ears/c{number}.wav") for number, clip in enumerate(CLIPS)]
    published.write_lines(manifest, cuts)
    request = Request("fcaps", (manifest,), "fcaps", audio_root=tmp_path / "in", split="dev")
    return import_data(store, request, IngestSettings(licence="CC-BY-4.0")).manifest


def contents(store, name):
    manifest = load_manifest(store, name)
    segments = list(read_rows(store, manifest, "segments", Segment))
    sounds = [read_sound(store, ByteRange(row.audio_key, row.audio_offset, row.audio_length)) for row in segments]
    plain = [replace(row, audio_key="", audio_offset=0, audio_length=0) for row in segments]
    return plain, sounds, list(read_rows(store, manifest, "captions", Caption))


@pytest.mark.parametrize("form", ["fcaps", "webdataset", "parquet"])
def test_importing_an_export_gives_the_same_rows_and_sounds(store, finished, form, tmp_path):
    export_data(store, [finished], form, tmp_path / "out")
    other = open_store(str(tmp_path / "other"))
    again = import_data(other, Request(form, (tmp_path / "out",), "again"), IngestSettings())
    assert contents(other, again.manifest) == contents(store, finished)


def test_exporting_twice_gives_the_same_bytes(store, finished, tmp_path):
    for form in ("fcaps", "webdataset", "parquet"):
        one, two = (export_data(store, [finished], form, tmp_path / form / name) for name in ("one", "two"))
        assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_parquet_holds_everything_in_columns(store, finished, tmp_path):
    (path,) = export_data(store, [finished], "parquet", tmp_path)
    rows = pq.read_table(path).to_pylist()
    assert [row["id"] for row in rows] == CLIPS
    assert (len(rows[0]["fine"]), len(rows[0]["global"]), rows[0]["audio"][:4]) == (2, 1, b"fLaC")


def test_a_table_of_another_program_is_read_and_its_hostile_rows_are_not(store, tmp_path):
    flac = published.sound()
    rows = [
        {"id": "one", "audio": flac, "text": "hello there", "captions": ["A calm voice."]},
        {"id": "../two", "audio": flac, "text": "", "captions": []},
        {"id": "three", "audio": None, "text": "", "captions": []},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "x.parquet")
    found = import_data(store, Request("parquet", (tmp_path / "x.parquet",), "x"), IngestSettings())
    (segment,), _, (caption,) = contents(store, found.manifest)
    assert (segment.id, segment.transcript, caption.text) == ("one", "hello there", "A calm voice.")
    assert found.summary()["reasons"] == {"unsafe_name": 1, "audio_missing": 1}


def test_what_cannot_be_exported_is_named(store, finished, tmp_path):
    with pytest.raises(ConfigError, match="kaldi"):
        export_data(store, [finished], "kaldi", tmp_path)
    with pytest.raises(DataError):
        export_data(store, [], "fcaps", tmp_path)

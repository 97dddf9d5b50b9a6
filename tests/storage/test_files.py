"""Folders of files as shards: laid out again anywhere, verified, never outside."""

import pytest

from clsp.errors import DataError
from clsp.storage.files import fetch_files, save_files


def test_a_folder_comes_back(s3_store, tmp_path):
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "config.json").write_text("{}")
    (source / "deep" / "weights").write_bytes(bytes(1000))
    shards = save_files(s3_store, source)
    copy = fetch_files(s3_store, shards, tmp_path / "copy")
    assert {path.relative_to(copy).as_posix(): path.read_bytes() for path in copy.rglob("*") if path.is_file()} == {
        "config.json": b"{}",
        "deep/weights": bytes(1000),
    }


def test_an_altered_file_is_refused(store, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("one")
    (shard,) = save_files(store, tmp_path / "source")
    store.put_blob(shard.key, b"two")
    with pytest.raises(DataError, match="altered"):
        fetch_files(store, (shard,), tmp_path / "copy")


def test_a_file_cannot_leave_its_folder(store, tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").write_text("one")
    (shard,) = save_files(store, tmp_path / "source")
    with pytest.raises(DataError, match="leaves its folder"):
        fetch_files(store, (shard.model_copy(update={"kind": "file/../../a"}),), tmp_path / "copy")

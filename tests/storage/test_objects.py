"""One contract, two stores: a folder, and a real S3 server that checks signatures."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from clsp.errors import StorageError
from clsp.storage import ObjectStore, open_store


@pytest.fixture(params=["folder", "s3"])
def objects(request) -> ObjectStore:
    return request.getfixturevalue("store" if request.param == "folder" else "s3_store")


def test_blobs_come_back(objects, tmp_path):
    objects.put_blob("a/b.bin", b"0123456789")
    objects.put_blob("a/b.bin", b"0123456789")
    objects.put_blob("empty", b"")
    assert objects.get("a/b.bin") == b"0123456789"
    assert objects.get("empty") == b""
    assert objects.get_range("a/b.bin", 3, 4) == b"3456"
    assert objects.get_range("a/b.bin", 3, 0) == b""
    assert objects.exists("a/b.bin")
    assert not objects.exists("a/b")
    objects.get_file("a/b.bin", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"0123456789"


def test_files_come_back(objects, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 30_000)  # larger than one part of a multipart upload
    objects.put_file("large", source)
    objects.get_file("large", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()


def test_listing_is_by_prefix_and_sorted(objects):
    for key in ("b/2", "b/1", "b/10/x", "bc", "a"):
        objects.put_blob(key, b"x")
    assert list(objects.list("")) == ["a", "b/1", "b/10/x", "b/2", "bc"]
    assert list(objects.list("b/")) == ["b/1", "b/10/x", "b/2"]
    assert list(objects.list("b")) == ["b/1", "b/10/x", "b/2", "bc"]
    assert list(objects.list("b/1")) == ["b/1", "b/10/x"]
    assert list(objects.list("nothing/here/")) == []


def test_put_if_absent_lets_one_writer_win(objects):
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: objects.put_if_absent("race", str(number).encode()), range(8)))
    assert won.count(True) == 1
    assert objects.get("race") == str(won.index(True)).encode()
    assert not objects.put_if_absent("race", b"late")


def test_delete_is_idempotent(objects):
    objects.put_blob("gone", b"x")
    objects.delete("gone")
    objects.delete("gone")
    assert not objects.exists("gone")


def test_missing_objects_are_named(objects, tmp_path):
    for read in (
        lambda: objects.get("no/such"),
        lambda: objects.get_range("no/such", 0, 1),
        lambda: objects.get_file("no/such", tmp_path / "x"),
    ):
        with pytest.raises(StorageError, match="no/such") as caught:
            read()
        assert caught.value.hint


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "/etc/outside"])
def test_keys_cannot_leave_the_prefix(objects, key):
    with pytest.raises(StorageError, match="leaves its prefix"):
        objects.put_blob(key, b"x")
    with pytest.raises(StorageError, match="leaves its prefix"):
        objects.get(key)


def test_the_uri_opens_the_same_store(objects):
    objects.put_blob("here", b"x")
    assert open_store(objects.uri).get("here") == b"x"

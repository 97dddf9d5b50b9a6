"""Folders and prefixes are listed in one order, by content; links that leave them are refused by name."""

import os

import pytest

from clsp.errors import DataError
from clsp.ingest.sources import FolderSource, list_recordings, open_source
from clsp.storage import open_store
from tests.sounds import tone, write

EXTENSIONS = ("wav", "flac")


def listed(folder):
    return list_recordings(open_source(str(folder)), EXTENSIONS, threads=2)


def test_recordings_are_found_in_order_and_hashed(tmp_path):
    for name in ("b/2.wav", "a.FLAC", "b/1.wav"):
        write(tmp_path / name, tone(0.1))
    (tmp_path / "notes.txt").write_text("no sound")
    listing = listed(tmp_path)
    assert [file.name for file in listing.files] == ["a.FLAC", "b/1.wav", "b/2.wav"]
    assert all(len(file.sha256) == 64 and file.size and not file.problem for file in listing.files)


def test_the_identity_is_the_content_not_the_place(tmp_path):
    for place in ("one", "elsewhere/two"):
        write(tmp_path / place / "x.wav", tone(0.1))
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    assert listed(one).sha256 == listed(two).sha256
    write(two / "x.wav", tone(0.1, level=0.4))
    assert listed(one).sha256 != listed(two).sha256
    (one / "x.wav").rename(one / "y.wav")
    assert listed(one).sha256 not in (listed(two).sha256, "")


@pytest.mark.parametrize("content", [[], ["readme.txt"]])
def test_a_folder_without_recordings_is_an_error_that_helps(tmp_path, content):
    for name in content:
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match="no recordings") as caught:
        listed(tmp_path)
    assert "wav, flac" in caught.value.hint


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="no folder"):
        open_source(str(tmp_path / "nowhere"))


def test_what_cannot_be_read_is_listed_with_its_problem(tmp_path):
    inside, outside = tmp_path / "in", tmp_path / "out"
    write(inside / "good.wav", tone(0.1))
    write(outside / "secret.wav", tone(0.1))
    (inside / "folder.wav").mkdir()
    os.mkfifo(inside / "pipe.wav")
    (inside / "dangling.wav").symlink_to(inside / "nothing.wav")
    (inside / "circle.wav").symlink_to(inside / "circle.wav")
    (inside / "alias.wav").symlink_to(inside / "good.wav")
    (inside / "out.wav").symlink_to(outside / "secret.wav")
    (inside / "v1.0").symlink_to(outside)
    assert {file.name: file.problem for file in listed(inside).files} == {
        "alias.wav": "",
        "circle.wav": "unreadable",
        "dangling.wav": "unreadable",
        "folder.wav": "not_a_file",
        "good.wav": "",
        "out.wav": "link_outside",
        "pipe.wav": "unreadable",
        "v1.0": "folder_link_outside",
    }


def test_names_that_are_no_utf8_can_be_written_down(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.wav"
    with open(path, "wb") as file:  # noqa: PTH123  a name in bytes
        file.write(b"x")
    (found,) = listed(tmp_path).files
    assert found.name == "caf\\xe9.wav"
    with FolderSource(tmp_path).local("plain.wav") as local:
        assert local == tmp_path / "plain.wav"


def test_metadata_beside_the_recordings_is_found_and_two_are_refused(tmp_path):
    write(tmp_path / "x.wav", tone(0.1))
    (tmp_path / "metadata.csv").write_text("file\nx\n")
    assert listed(tmp_path).metadata == "metadata.csv"
    (tmp_path / "metadata.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match="several metadata tables"):
        listed(tmp_path)


def test_a_prefix_is_the_same_source_as_the_folder(s3_store, tmp_path):
    for name in ("b/2.wav", "a.wav"):
        write(tmp_path / name, tone(0.1, hertz=300))
        s3_store.put_file(name, tmp_path / name)
    source = open_source(s3_store.uri)
    assert list_recordings(source, EXTENSIONS, 2) == listed(tmp_path)
    with source.local("a.wav") as path:
        assert path.read_bytes() == (tmp_path / "a.wav").read_bytes()
    assert not path.exists()
    assert open_store(s3_store.uri).exists("a.wav")

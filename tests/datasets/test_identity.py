"""Files are the same wherever they lie and whenever they were written; another content is another file."""

import os
import shutil

import pytest

from clsp.datasets.identity import identify


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.tar").write_bytes(os.urandom(100_000))
    (folder / "b.flac").write_bytes(os.urandom(9_000))
    (folder / "captions.jsonl").write_bytes(os.urandom(100_000))
    return folder


def test_a_copy_of_another_time_is_the_same(place, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(place, copy, copy_function=shutil.copyfile)
    for path in copy.iterdir():
        os.utime(path, (1, 1))
    assert identify([copy]) == identify([place])
    assert identify([copy / "a.tar", copy / "b.flac", copy / "captions.jsonl"]) == identify([place])


@pytest.mark.parametrize(
    ("name", "at"),
    [("a.tar", 0), ("a.tar", 16_383), ("a.tar", -1), ("a.tar", -16_384), ("b.flac", 4_500), ("captions.jsonl", 50_000)],
)
def test_one_changed_byte_at_either_end_or_anywhere_among_facts_is_another_file(place, name, at):
    before = identify([place])
    data = bytearray((place / name).read_bytes())
    data[at] ^= 1
    (place / name).write_bytes(data)
    assert identify([place]) != before


def test_a_longer_or_renamed_file_is_another(place):
    before = identify([place])
    with (place / "a.tar").open("r+b") as file:
        file.seek(50_000)
        rest = file.read()
        file.seek(50_000)
        file.write(b"x" + rest)
    longer = identify([place])
    (place / "a.tar").rename(place / "c.tar")
    assert len({str(found) for found in (before, longer, identify([place]))}) == 3

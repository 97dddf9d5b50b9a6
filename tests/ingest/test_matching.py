"""Entries find their recordings by path, name or id; what is unknown or ambiguous is reported."""

import pytest

from clsp.ingest.matching import match_entries
from clsp.ingest.metadata import Entry

FILES = ["ann/001.wav", "bob/001.wav", "bob/002.flac", "top.wav"]


@pytest.mark.parametrize(
    "cell",
    [
        "bob/002.flac",
        "bob/002",
        "002.flac",
        "002",
        "./bob/002.flac",
        "bob\\002.flac",
        "/data/x/bob/002.flac",
        "bob/002.mp3",
    ],
)
def test_spellings_of_one_recording(cell):
    matches = match_entries([Entry(cell)], FILES)
    known = cell != "bob/002.mp3"
    assert list(matches.by_file) == (["bob/002.flac"] if known else [])
    assert matches.unmatched == (() if known else (cell,))


def test_a_bare_name_in_two_folders_is_ambiguous():
    matches = match_entries([Entry("001"), Entry("ann/001", speaker="ann")], FILES)
    assert matches.ambiguous == ("001",)
    assert matches.by_file["ann/001.wav"].speaker == "ann"


def test_unknown_and_empty_names_are_left_over():
    assert match_entries([Entry("carl/9.wav"), Entry("")], FILES).unmatched == ("carl/9.wav", "")


def test_the_first_of_two_entries_counts():
    matches = match_entries([Entry("top", speaker="one"), Entry("top.wav", speaker="two")], FILES)
    assert matches.by_file["top.wav"].speaker == "one"
    assert matches.repeated == ("top.wav",)


def test_two_files_of_one_id_in_one_folder_share_their_entry():
    matches = match_entries([Entry("a", speaker="s")], ["a.flac", "a.wav"])
    assert {file: entry.speaker for file, entry in matches.by_file.items()} == {"a.flac": "s", "a.wav": "s"}


def test_accents_match_however_they_are_composed():
    assert match_entries([Entry("e\u0301te\u0301.wav")], ["\u00e9t\u00e9.wav"]).by_file

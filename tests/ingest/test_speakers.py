"""Folders name speakers; a folder that holds recordings is one speaker with all below it."""

from hypothesis import given
from hypothesis import strategies as st

from clsp.ingest.speakers import name_speakers

PROMPTS = [f"{voice}/{name}" for voice in ("en", "es", "fr") for name in ("hi.wav", "digits/1.wav", "letters/x/a.wav")]


def test_prompts_in_folders_of_a_voice_are_that_voice():
    assert set(name_speakers(PROMPTS, "folder", 0).items()) == {(file, file[:2]) for file in PROMPTS}


def test_collections_of_voices_are_told_apart_below():
    files = [f"asterisk/{file}" for file in PROMPTS] + ["hedgewars/Pirate/a.ogg", "hedgewars/Robot/a.ogg"]
    speakers = set(name_speakers(files, "folder", 0).values())
    assert speakers == {"asterisk/en", "asterisk/es", "asterisk/fr", "hedgewars/Pirate", "hedgewars/Robot"}


def test_chapters_below_a_speaker_are_that_speaker():
    files = [f"{speaker}/{chapter}/{speaker}-{chapter}-0.flac" for speaker in (84, 85, 86) for chapter in (1, 2)]
    assert set(name_speakers(files, "folder", 0).values()) == {"84", "85", "86"}


def test_a_flat_folder_is_one_speaker_and_in_doubt_so_is_what_lies_below_it():
    assert set(name_speakers(["a.wav", "b.wav"], "folder", 0).values()) == {"."}
    assert set(name_speakers(["a.wav", "digits/1.wav"], "folder", 0).values()) == {"."}


def test_the_depth_can_be_said():
    assert name_speakers(["x/y/z/1.wav", "top.wav"], "folder", 2) == {"x/y/z/1.wav": "x/y", "top.wav": "."}


def test_each_file_can_be_a_speaker():
    assert name_speakers(["a/1.wav", "a/2.wav"], "file", 0) == {"a/1.wav": "a/1", "a/2.wav": "a/2"}
    assert name_speakers([], "folder", 0) == {}


PATHS = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join), max_size=12, unique=True)


@given(PATHS)
def test_files_of_one_folder_have_one_speaker(paths):
    speakers = name_speakers([f"{path}/1.wav" for path in paths] + [f"{path}/2.wav" for path in paths], "folder", 0)
    assert all(speakers[f"{path}/1.wav"] == speakers[f"{path}/2.wav"] for path in paths)

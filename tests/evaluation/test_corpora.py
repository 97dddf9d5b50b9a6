"""The layouts people download, read as labelled clips."""

from collections import Counter

import pytest

from clsp.errors import DataError
from clsp.evaluation.corpora import read_crema_d, read_iemocap, read_ravdess
from clsp.evaluation.corpora.labels import age_group
from tests.evaluation import corpora_on_disk


def test_ravdess_names_tell_emotion_and_gender_and_song_is_left_out(tmp_path):
    clips = read_ravdess(corpora_on_disk.ravdess(tmp_path))
    assert Counter(clip.label for clip in clips) == dict.fromkeys(corpora_on_disk.HERTZ, 2)
    assert {(clip.speaker, clip.gender) for clip in clips} == {("01", "male"), ("02", "female")}


def test_a_copy_that_holds_every_ravdess_clip_twice_is_counted_once(tmp_path):
    corpora_on_disk.ravdess(tmp_path / "audio_speech_actors_01-24")
    assert len(read_ravdess(corpora_on_disk.ravdess(tmp_path))) == 16


def test_crema_d_takes_age_and_sex_from_its_table(tmp_path):
    clips = read_crema_d(corpora_on_disk.crema_d(tmp_path))
    assert len(clips) == 18
    assert {(clip.speaker, clip.age, clip.gender) for clip in clips} == {
        ("1001", 17, "male"), ("1002", 33, "female"), ("1003", 74, "female"),
    }  # fmt: skip


def test_crema_d_is_narrowed_to_its_test_split(tmp_path):
    corpora_on_disk.crema_d(tmp_path)
    (tmp_path / "test.json").write_text('{"1001_DFA_ANG_XX.wav": ["anger"]}')
    assert [clip.path.name for clip in read_crema_d(tmp_path)] == ["1001_DFA_ANG_XX.wav"]


def test_iemocap_keeps_four_classes_and_excited_is_happy(tmp_path):
    clips = read_iemocap(corpora_on_disk.iemocap(tmp_path))
    assert Counter(clip.label for clip in clips) == {"happy": 2, "neutral": 1, "angry": 1, "sad": 1}
    assert {(clip.speaker, clip.gender) for clip in clips} == {("Ses01F", "female"), ("Ses01M", "male")}


@pytest.mark.parametrize("read", [read_crema_d, read_iemocap, read_ravdess])
def test_an_empty_folder_tells_what_was_expected(read, tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path)
    assert caught.value.hint


def test_an_actor_outside_the_table_is_named(tmp_path):
    corpora_on_disk.crema_d(tmp_path)
    corpora_on_disk.write(tmp_path / "AudioWAV/1999_DFA_ANG_XX.wav", "angry")
    with pytest.raises(DataError, match="1999"):
        read_crema_d(tmp_path)


def test_a_turn_without_sound_is_named(tmp_path):
    corpora_on_disk.iemocap(tmp_path)
    next(tmp_path.rglob("*_F000.wav")).unlink()
    with pytest.raises(DataError, match="Ses01F_impro01_F000"):
        read_iemocap(tmp_path)


@pytest.mark.parametrize(("age", "group"), [(19, "child"), (20, "adult"), (40, "middle-aged"), (60, "elder")])
def test_ages_fall_into_their_bins(age, group):
    assert age_group(age) == group

"""The synthetic corpus: deterministic whatever was spoken before, labelled, and as long and varied as planned."""

import csv
import hashlib
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import soxr

from clsp.audio.acoustics import measure
from clsp.audio.synthesis import SAMPLING_RATE, SPEAKERS, ClipPlan, Part, plan_corpus, synthesise, write_corpus
from clsp.audio.synthesis.plans import CHANGES
from clsp.audio.synthesis.sentences import PHRASES
from clsp.errors import ConfigError, DataError

PLANS = plan_corpus(3, speakers=20, clips_per_speaker=2)
PART = Part("The market moves indoors for the winter.", 50, 50, 170, -25.0)


def measured(plan):
    return measure(soxr.resample(synthesise(plan), SAMPLING_RATE, 16_000))


def spoken(speaker=SPEAKERS[1], **settings):
    return ClipPlan("clip", speaker, (replace(PART, **settings),))


def digest(plan):
    return hashlib.sha256(synthesise(plan).tobytes()).hexdigest()


def test_a_clip_depends_on_nothing_spoken_before():
    forward = {plan.name: digest(plan) for plan in PLANS}
    backward = {plan.name: digest(plan) for plan in reversed(PLANS)}
    assert forward == backward
    assert len(set(forward.values())) == len(PLANS)


def test_a_fresh_process_speaks_the_same_bytes():
    program = (
        "import hashlib; from clsp.audio.synthesis import plan_corpus, synthesise; "
        "plans = plan_corpus(3, speakers=20, clips_per_speaker=2); "
        "print(hashlib.sha256(synthesise(plans[-1]).tobytes()).hexdigest())"
    )
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert fresh.stdout.strip() == digest(PLANS[-1])


def test_plans_do_not_depend_on_how_many_there_are():
    assert set(plan_corpus(3, speakers=4, clips_per_speaker=1)) <= set(PLANS)
    assert plan_corpus(3, speakers=20, clips_per_speaker=2) == PLANS
    assert plan_corpus(4, speakers=20, clips_per_speaker=2) != PLANS


def test_clips_are_as_long_as_promised():
    seconds = [len(synthesise(plan)) / SAMPLING_RATE for plan in PLANS]
    assert min(seconds) >= 1.4
    assert max(seconds) <= 4.3


def test_every_setting_is_spread_over_its_range():
    plans = plan_corpus(0, speakers=40, clips_per_speaker=12)
    parts = [plan.parts[0] for plan in plans]
    assert np.ptp([part.pitch for part in parts]) > 70
    assert np.ptp([part.words_per_minute for part in parts]) > 180
    assert np.ptp([part.level_dbfs for part in parts]) > 22
    assert {plan.change for plan in plans} == {*CHANGES, "none"}
    assert len({plan.speaker.name for plan in plans}) == 40
    assert {plan.speaker.gender for plan in plans} == {"female", "male"}
    assert len({plan.speaker.accent for plan in plans}) == 8


def test_there_are_many_distinct_voices_and_sentences():
    assert len({speaker.variant for speaker in SPEAKERS}) == len(SPEAKERS) >= 48
    assert len(set(PHRASES)) == len(PHRASES) >= 40
    assert all(first and second for first, second in PHRASES)


@pytest.mark.parametrize("count", [0, len(SPEAKERS) + 1])
def test_speakers_that_do_not_exist_are_refused(count):
    with pytest.raises(ConfigError, match="hint: Ask for 1 to"):
        plan_corpus(0, speakers=count)


def test_a_part_without_words_is_refused():
    with pytest.raises(DataError, match="silent"):
        synthesise(spoken(text=" "))


def test_an_unknown_voice_is_refused():
    with pytest.raises(DataError, match="refused voice"):
        synthesise(spoken(speaker=replace(SPEAKERS[0], language="xx-none")))


@pytest.mark.parametrize("speaker", SPEAKERS[:6], ids=lambda speaker: speaker.name)
def test_measures_rise_with_the_settings(speaker):
    """Truth in, truth out: each setting moves its own measure, on different voices."""
    pitches = [measured(spoken(speaker, pitch=pitch)).pitch_hz for pitch in (10, 35, 60, 90)]
    ranges = [measured(spoken(speaker, pitch_range=spread)).pitch_range_st for spread in (0, 30, 60, 99)]
    rates = [measured(spoken(speaker, words_per_minute=rate)).rate_hz for rate in (90, 140, 200, 290)]
    for course in (pitches, ranges, rates):
        assert course == sorted(course)
        assert course[-1] > 1.5 * course[0]


@pytest.mark.parametrize("level", [-42.0, -34.0, -26.0, -18.0])
def test_the_level_is_the_one_asked_for(level):
    assert measured(spoken(level_dbfs=level)).loudness_dbfs == pytest.approx(level, abs=1.5)


@pytest.mark.parametrize(
    ("change", "measure_name", "sign"),
    [
        ("louder", "loudness_change_db", 1),
        ("softer", "loudness_change_db", -1),
        ("higher", "pitch_change_st", 1),
        ("lower", "pitch_change_st", -1),
        ("pause", "longest_pause_s", 1),
    ],
)
def test_changes_on_purpose_can_be_measured(change, measure_name, sign):
    plans = [plan for plan in plan_corpus(1, speakers=12, clips_per_speaker=4) if plan.change == change]
    found = [sign * getattr(measured(plan), measure_name) for plan in plans]
    assert len(found) >= 2
    assert np.median(found) > {"pause": 0.2}.get(change, 4.0)


def test_a_corpus_looks_like_an_operators_folder(tmp_path):
    plans, calls = PLANS[:4], []
    write_corpus(tmp_path / "one", plans, calls.append)
    write_corpus(tmp_path / "two", plans)
    assert calls == [1] * len(plans)
    rows = list(csv.DictReader((tmp_path / "one" / "metadata.csv").open()))
    assert list(rows[0]) == ["file", "speaker", "gender", "accent", "transcript", "language", "licence"]
    truth = list(csv.DictReader((tmp_path / "one" / "truth.csv").open()))
    assert [row["file"] for row in truth] == [row["file"] for row in rows]
    for row, plan in zip(rows, plans, strict=True):
        samples, rate = soundfile.read(tmp_path / "one" / row["file"], dtype="float32")
        assert rate == SAMPLING_RATE
        np.testing.assert_allclose(samples, synthesise(plan), atol=1e-4)
        assert row["transcript"] == plan.transcript
        assert row["speaker"] == row["file"].split("/")[0]
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()

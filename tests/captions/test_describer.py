"""Captions say what was measured, follow the rules of fine and global captions, and tell clips apart."""

import re
from dataclasses import fields, replace

import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from clsp.audio.acoustics import Acoustics, measure
from clsp.audio.synthesis import SAMPLING_RATE, SPEAKERS, ClipPlan, Part, plan_corpus, synthesise
from clsp.captions.describer import describe, levels
from clsp.captions.describer.levels import SCALES, Scale
from clsp.errors import DataError

FORBIDDEN = re.compile(
    r"\b(no|not|neither|nor|without|lacking|free from|rather than|speakers|background|recording|recorded|quality|"
    r"noise|noisy|audio|music|room|microphone|hiss\w*|echo\w*)\b|[\"'“”\n\r]",
    re.I,
)
TYPICAL = Acoustics(
    duration_s=3.0, speech_s=2.8, voiced_share=0.8, pitch_hz=120.0, pitch_range_st=5.0, pitch_motion_st_s=10.0,
    pitch_start_hz=125.0, pitch_middle_hz=120.0, pitch_end_hz=115.0, pitch_change_st=-1.0, pitch_arch_st=0.2,
    pitch_slope_st_s=-0.5, nuclei=13.0, rate_hz=4.8, rate_change=0.0, loudness_dbfs=-26.0, loudness_range_db=20.0,
    loudness_change_db=0.0, pauses=0.0, pause_share=0.0, longest_pause_s=0.0, centroid_hz=1_500.0, tilt_db=-9.0,
    harmonicity_db=9.0, roughness_st=0.1,
)  # fmt: skip
RANGES = {
    "duration_s": (0.3, 40.0), "speech_s": (0.1, 30.0), "pitch_hz": (50.0, 620.0), "pitch_range_st": (0.0, 30.0),
    "rate_hz": (0.0, 12.0), "loudness_dbfs": (-70.0, 0.0), "loudness_change_db": (-30.0, 30.0),
    "rate_change": (-3.0, 3.0), "pitch_change_st": (-20.0, 20.0), "pitch_arch_st": (-12.0, 12.0),
    "longest_pause_s": (0.2, 5.0), "centroid_hz": (0.0, 8_000.0), "tilt_db": (-60.0, 60.0),
    "harmonicity_db": (-40.0, 40.0), "roughness_st": (0.0, 1.0),
}  # fmt: skip


@st.composite
def clips(draw):
    """Any clip with speech in it: voiced or whispered, with or without pauses."""
    values = {name: draw(st.floats(*bounds)) for name, bounds in RANGES.items()}
    pauses = draw(st.integers(0, 4))
    values |= {"pauses": float(pauses)} | ({} if pauses else {"longest_pause_s": 0.0})
    values |= {} if draw(st.booleans()) else {"pitch_hz": 0.0, "pitch_change_st": 0.0, "pitch_arch_st": 0.0}
    return replace(TYPICAL, **values)


def says(caption: str, scale: Scale, acoustics: Acoustics) -> bool:
    return any(re.search(rf"\b{word}\b", caption) for word in scale.wordings(acoustics))


@settings(max_examples=150)
@given(clips(), st.integers(0, 10**9))
def test_fine_captions_keep_every_rule(acoustics, seed):
    caption = describe(acoustics, seed=seed, kind="fine")
    assert 128 <= len(caption) <= 768
    assert not FORBIDDEN.search(caption)
    assert caption[0].isupper()
    assert caption.endswith(".")
    assert describe(acoustics, seed=seed, kind="fine") == caption


@settings(max_examples=150)
@given(
    clips(),
    st.integers(0, 10**9),
    st.sampled_from([None, "female", "male", "unknown", ""]),
    st.sampled_from([None, "", "Scottish", "American", 'x" OR 1\n', "New York", "a" * 99]),
)
def test_global_captions_are_one_short_sentence(acoustics, seed, gender, accent):
    caption = describe(acoustics, seed=seed, kind="global", gender=gender, accent=accent)
    assert 32 <= len(caption) <= 160
    assert caption.count(".") == 1
    assert not FORBIDDEN.search(caption)
    assert ("woman" in caption) == (gender == "female")
    assert ("Scottish accent" in caption) == (accent == "Scottish")


@settings(max_examples=120)
@given(clips(), st.integers(0, 10**9))
def test_fine_captions_say_the_main_levels_and_every_change(acoustics, seed):
    caption = describe(acoustics, seed=seed, kind="fine")
    voiced = [levels.PITCH, levels.LIVELINESS] if acoustics.pitch_hz else [levels.UNPITCHED]
    for scale in (levels.RATE, levels.LOUDNESS, *voiced):
        assert says(caption.replace(".", ""), scale, acoustics) or says(caption, scale, acoustics), scale.measure
    for scale in (levels.LOUDNESS_CHANGE, levels.RATE_CHANGE, levels.PITCH_CHANGE):
        changed = scale.level(acoustics) != len(scale.cuts) // 2
        if changed and (scale is not levels.PITCH_CHANGE or acoustics.pitch_hz):
            assert says(caption, scale, acoustics), scale.measure
    assert ("pause" in caption) == (acoustics.pauses > 0)


@settings(max_examples=120)
@given(clips(), st.integers(0, 10**9))
def test_no_sentence_is_untrue(acoustics, seed):
    """Every wording in a caption belongs to the level that was measured."""
    for sentence in describe(acoustics, seed=seed, kind="fine").split(". "):
        for marker, scale in (
            ("loudness be", levels.LOUDNESS_CHANGE),
            ("the pace s", levels.RATE_CHANGE),
            ("timbre is", levels.BRIGHTNESS),
            ("intonation is", levels.LIVELINESS),
            ("speaking rate is", levels.RATE),
            ("The pitch is", levels.PITCH),
            ("The loudness is", levels.LOUDNESS),
        ):
            if marker in sentence:
                assert says(sentence, scale, acoustics), sentence


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.measure)
def test_a_larger_value_never_gets_a_lower_level(scale):
    assert scale.measure in {field.name for field in fields(Acoustics)}
    span = max(abs(cut) for cut in scale.cuts) + 1.0
    values = sorted([span * step / 200 for step in range(-400, 401)] + list(scale.cuts))
    found = [scale.level(replace(TYPICAL, **{scale.measure: value})) for value in values]
    assert found == sorted(found)
    assert set(found) == set(range(len(scale.words)))


@pytest.mark.parametrize("scale", SCALES, ids=lambda scale: scale.measure)
def test_a_word_belongs_to_one_level_only(scale):
    words = [word for wordings in scale.words for word in wordings]
    assert len(words) == len(set(words))
    assert all(2 <= len(wordings) <= 3 for wordings in scale.words)


@pytest.mark.parametrize("scale", [levels.PITCH_CHANGE, levels.LOUDNESS_CHANGE, levels.RATE_CHANGE, levels.PITCH_ARCH])
def test_changes_are_judged_alike_in_both_directions(scale):
    assert tuple(-cut for cut in reversed(scale.cuts)) == scale.cuts
    assert len(scale.words) % 2 == 1


def test_a_scale_with_disordered_cuts_is_refused():
    with pytest.raises(ValueError, match="rising cuts"):
        Scale("pitch_hz", (2.0, 1.0), (("a",), ("b",), ("c",)))


@given(st.floats(50, 620))
def test_the_round_pitch_is_near_the_true_one(pitch):
    assert abs(levels.nearest_hertz(pitch) / pitch - 1) < 0.2
    if 58 < pitch < 600:
        assert abs(levels.nearest_hertz(pitch) / pitch - 1) < 0.06


def test_seeds_vary_words_and_order():
    captions = {describe(TYPICAL, seed=seed, kind="fine") for seed in range(50)}
    assert len(captions) == 50
    assert len({describe(TYPICAL, seed=seed, kind="global") for seed in range(50)}) >= 3


def test_a_silent_clip_is_refused():
    with pytest.raises(DataError, match="silent"):
        describe(replace(TYPICAL, speech_s=0.0), seed=0, kind="fine")


def heard(speaker, part) -> Acoustics:
    samples = synthesise(ClipPlan("clip", speaker, (part,)))
    return measure(soxr.resample(samples, SAMPLING_RATE, 16_000))


PART = Part("A light wind carried the smell of salt from the sea.", 50, 50, 170, -25.0)


@pytest.mark.parametrize("speaker", [SPEAKERS[0], SPEAKERS[1], SPEAKERS[11]], ids=lambda speaker: speaker.name)
@pytest.mark.parametrize(
    ("setting", "values", "scale", "span"),
    [
        ("pitch", (10, 25, 40, 55, 70, 85, 99), levels.PITCH, 3),
        ("words_per_minute", (90, 115, 145, 180, 220, 270, 330), levels.RATE, 4),
        ("level_dbfs", (-42.0, -36.0, -31.0, -26.0, -21.5, -17.0), levels.LOUDNESS, 5),
        ("pitch_range", (0, 20, 40, 60, 80, 99), levels.LIVELINESS, 3),
    ],
)
def test_words_follow_the_settings_of_real_synthetic_speech(speaker, setting, values, scale, span):
    """Over the whole range of each setting the chosen level never steps back and crosses several levels."""
    found = [scale.level(heard(speaker, replace(PART, **{setting: value}))) for value in values]
    assert found == sorted(found)
    assert found[-1] - found[0] >= span


def test_eighty_clips_can_be_told_apart():
    plans = plan_corpus(5, speakers=10, clips_per_speaker=8)
    clips = [measure(soxr.resample(synthesise(plan), SAMPLING_RATE, 16_000)) for plan in plans]
    main = (levels.PITCH, levels.RATE, levels.LOUDNESS, levels.LIVELINESS)
    assert len({tuple(scale.level(clip) for scale in main) for clip in clips}) >= 70
    assert len({describe(clip, seed=1, kind="fine") for clip in clips}) >= 78

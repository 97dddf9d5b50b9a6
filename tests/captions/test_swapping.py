"""A swapped caption says one other thing, the same on every process, and nothing else of it gives that away."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsp.captions.attributes import ACCENTS, GENDER, INTRINSIC, PITCH, RATE, SAME_REGION, SITUATIONAL
from clsp.captions.swapping import swap_attribute

TABLES = {"rate": RATE, "pitch": PITCH, "intrinsic": INTRINSIC, "situational": SITUATIONAL}
WORDS = sorted({word for table in (*TABLES.values(), GENDER) for word in table})


def copies(caption, count=300):
    return Counter(swap_attribute(caption, 1, step, "clip") for step in range(count))


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_every_word_has_others_that_lead_back_to_it(table):
    for word, others in table.items():
        assert others
        assert word not in others
        assert all(word in table[other] for other in others), word


@given(word=st.sampled_from(WORDS), step=st.integers(0, 10**6))
def test_a_named_attribute_is_swapped_and_the_rest_stays(word, step):
    caption = f"Here is the {word} speaker, who talks."
    changed = swap_attribute(caption, 7, step, "clip")
    assert changed == swap_attribute(caption, 7, step, "clip")
    assert changed != caption
    start, end = "Here is the ", " speaker, who talks."
    assert changed.startswith(start)
    assert changed.endswith(end)


@given(st.text(alphabet="bcdfgjkmqvxz ,.", max_size=60))
def test_a_caption_that_names_none_has_no_copy(caption):
    assert swap_attribute(caption, 1) is None


def test_all_words_of_a_gender_change_together():
    found = copies("A woman speaks softly, and her voice shows that she is calm.")
    assert "A man speaks softly, and his voice shows that he is calm." in found


def test_each_named_attribute_is_swapped_at_times():
    found = copies("A man with a British accent speaks slowly in a low-pitched, husky, angry voice.")
    kept = ("man", "British", "slowly", "low-pitched", "husky", "angry")
    missing = Counter(word for text in found for word in kept if f" {word}" not in text)
    assert set(missing) == set(kept)


def test_an_article_follows_the_word_after_it():
    assert set(copies("The speaker has an angry voice.")) == {
        "The speaker has a calm voice.", "The speaker has a peaceful voice."
    }  # fmt: skip
    assert "The speaker has an enunciated voice." in copies("The speaker has a slurred voice.")


def test_capitals_are_kept():
    assert set(copies("Quickly said.")) == {"Slowly said.", "Sluggishly said."}


def test_words_inside_others_are_left_alone():
    assert swap_attribute("The human is boldly described as fasting.", 1) is None
    assert set(copies("A high-pitched speaker.")) == {"A low-pitched speaker.", "A medium-pitched speaker."}


def test_accents_stay_within_their_region_as_often_as_published():
    region = next(region for region in ACCENTS if "british" in region)
    found = copies("A speaker with a British accent.", 2000)
    near = sum(count for text, count in found.items() if any(other.title() in text for other in region))
    assert near / 2000 == pytest.approx(SAME_REGION, abs=0.03)
    assert "A speaker with a British accent." not in found


def test_seed_step_and_clip_choose():
    caption = "A fast, high, loud voice."
    assert len({swap_attribute(caption, seed, 0, "a") for seed in range(30)}) > 3
    assert len({swap_attribute(caption, 0, step, "a") for step in range(30)}) > 3
    assert len({swap_attribute(caption, 0, 0, clip) for clip in range(30)}) > 3

"""What is counted in words: likeness, variety, and phrases."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_quality.drift import bin_counts, reference_bins, stability_index
from data_quality.variety import variety
from data_quality.wording import (
    english_share,
    fingerprint,
    phrase_pattern,
    share_a_phrase,
    words,
)

texts = st.lists(st.text("abc DE,.é'", max_size=40), max_size=12)


@given(texts, st.integers(1, 10))
def test_the_share_of_distinct_words_is_a_share(lines, window):
    share = variety(lines, window).share
    assert 0.0 <= share <= 1.0
    assert (share == 0.0) == (not any(map(words, lines)))


@given(st.lists(st.sampled_from(["calm", "warm", "voice", "the", "a"]), min_size=1), st.randoms())
def test_order_repetition_and_function_words_do_not_change_a_fingerprint(said, random):
    shuffled = random.sample(said, len(said))
    assert fingerprint(" ".join(said)) == fingerprint(", ".join([*shuffled, said[0], "OF"]))


def test_the_share_does_not_depend_on_how_much_there_is():
    assert variety(["calm warm voice calm"] * 5, 4).share == variety(["calm warm voice calm"], 4).share == 0.75


def test_words_after_the_last_whole_window_are_left_out():
    assert variety(["one two three four five five"], 4).share == 1.0


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("With NO pause", True),
        ("nothing", False),
        ("a notable voice", False),
        ("free  from haste", True),
        ("No.", True),
    ],
)
def test_phrases_are_found_as_whole_words(text, found):
    assert bool(re.search(phrase_pattern(["no", "free from"]), text)) is found


def test_english_is_told_from_other_languages_by_its_small_words():
    assert english_share("A young woman speaks in a soft voice and takes her time with each of the words.") > 0.3
    assert english_share("Eine junge Frau spricht mit sanfter Stimme und nimmt sich Zeit.") < 0.05
    assert english_share("") == 0.0


def test_a_phrase_is_shared_when_so_many_words_stand_in_a_row():
    assert share_a_phrase("She says: the quick, brown fox!", "THE QUICK BROWN FOX jumps", 4)
    assert not share_a_phrase("the quick red brown fox", "the quick brown fox", 4)
    assert not share_a_phrase("the quick", "the quick", 4)


def test_the_stability_index_is_that_of_its_definition():
    then, now = [0.0] * 50 + [1.0] * 50, [0.0] * 20 + [1.0] * 80
    edges, shares = reference_bins(then)
    expected = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.8 - 0.5) * np.log(0.8 / 0.5)
    assert stability_index(bin_counts(now, edges), shares) == pytest.approx(expected)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200))
def test_a_data_set_does_not_drift_from_itself(values):
    edges, shares = reference_bins(values)
    assert stability_index(bin_counts(values, edges), shares) == pytest.approx(0, abs=1e-9)

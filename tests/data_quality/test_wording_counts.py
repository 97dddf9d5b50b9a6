"""What is counted in words: likeness, variety, and phrases."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_quality.wording import distinct_word_share, fingerprint, phrase_pattern, words

texts = st.lists(st.text("abc DE,.é'", max_size=40), max_size=12)


@given(texts, st.integers(1, 10))
def test_the_share_of_distinct_words_is_a_share(lines, window):
    share = distinct_word_share(lines, window)
    assert 0.0 <= share <= 1.0
    assert (share == 0.0) == (not any(map(words, lines)))


@given(st.lists(st.sampled_from(["calm", "warm", "voice", "the", "a"]), min_size=1), st.randoms())
def test_order_repetition_and_function_words_do_not_change_a_fingerprint(said, random):
    shuffled = random.sample(said, len(said))
    assert fingerprint(" ".join(said)) == fingerprint(", ".join([*shuffled, said[0], "OF"]))


def test_the_share_does_not_depend_on_how_much_there_is():
    assert (
        distinct_word_share(["calm warm voice calm"] * 5, 4) == distinct_word_share(["calm warm voice calm"], 4) == 0.75
    )


def test_words_after_the_last_whole_window_are_left_out():
    assert distinct_word_share(["one two three four five five"], 4) == 1.0


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

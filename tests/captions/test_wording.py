"""Words that give a fault away, and words that agree or disagree with tags."""

import pytest

from clsp.captions.wording import BACKGROUND, contradicted_tag, has_hidden_characters, leaks, words_of


@pytest.mark.parametrize("text", ["Music plays", "a noisy room", "recorded in a studio", "echoes", "static hiss"])
def test_surroundings_are_found(text):
    assert BACKGROUND.search(text)


@pytest.mark.parametrize("text", ["a musical lilt", "a resonant, roomy tone", "a clear bright voice"])
def test_words_of_voices_are_no_surroundings(text):
    assert not BACKGROUND.search(text)


@pytest.mark.parametrize(
    ("caption", "tags", "tag"),
    [
        ("A man speaks.", {"gender": "female"}, "gender"),
        ("A woman speaks.", {"gender": "Female"}, ""),
        ("A speaker.", {"gender": "female"}, ""),
        ("She answers a man.", {"gender": "female"}, ""),
        ("A fast talker.", {"speaking_rate": "slow"}, "speaking_rate"),
        ("Begins fast and turns slow.", {"speaking_rate": "slow"}, ""),
        ("A low voice.", {"pitch": "high-pitched"}, "pitch"),
        ("A low voice.", {"pitch": "medium"}, ""),
        ("Anything.", {"mood": "odd"}, ""),
    ],
)
def test_only_the_opposite_of_a_tag_contradicts_it(caption, tags, tag):
    assert contradicted_tag(caption, tags) == tag


def test_words_are_folded():
    assert words_of("Don’t STOP—ﬁne, l'été!") == ["don't", "stop", "fine", "l'été"]


def test_leaks_ignore_case_and_signs():
    assert leaks("he says: don’t, stop NOW please", "Don't stop now", 3)
    assert not leaks("don't now stop", "Don't stop now", 3)


def test_line_ends_are_left_to_their_own_rule():
    assert not has_hidden_characters("a\nb\u2028c")
    assert has_hidden_characters("a\x07b")

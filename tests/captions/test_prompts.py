"""A prompt says which kind it is, carries the rules, and takes tags as data."""

from hypothesis import given
from hypothesis import strategies as st

from clsp.captions.prompts import caption_prompt, kind_of, prompt_hash, prompts_hash, read_reference

NAMES = st.text("abcdefgh_", min_size=1, max_size=12)
KINDS = st.sampled_from(["fine", "global"])


@given(KINDS, st.dictionaries(NAMES, st.text(max_size=60)))
def test_the_kind_is_read_back_whatever_the_tags(kind, tags):
    assert kind_of(caption_prompt(kind, tags)) == kind


@given(KINDS, st.dictionaries(NAMES, st.text(st.characters(codec="utf-8"), max_size=60)))
def test_tags_are_read_back_as_one_line_each(kind, tags):
    said = {name: " ".join(value.split()) for name, value in tags.items() if value.strip()}
    assert read_reference(caption_prompt(kind, tags)) == said


def test_a_prompt_without_tags_has_no_reference_block():
    assert read_reference(caption_prompt("fine", {})) == {}
    assert "noted" not in caption_prompt("fine", {"accent": " "})


def test_a_foreign_prompt_asks_for_a_fine_caption():
    assert kind_of("Describe this voice.") == "fine"


def test_each_kind_has_its_own_version():
    assert len({prompt_hash("fine"), prompt_hash("global"), prompts_hash()}) == 3


def test_the_rules_of_the_annotation_are_there():
    for kind in ("fine", "global"):
        prompt = caption_prompt(kind, {})
        for rule in ("human voice", "quotation marks", "surroundings", "recorded", "missing", "one speaker", "heard"):
            assert rule in prompt

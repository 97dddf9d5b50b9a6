"""Global captions from metadata say what people noted, and only when they noted a manner of speaking."""

import pytest

from clsp.captions.overall import noted_tags, overall_from_metadata
from tests.captioning import make_segment


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"gender": "female", "accent": "Scottish"}, ""),
        ({"tags": {"emotion": "unknown", "take": "3"}}, ""),
        (
            {"gender": "female", "accent": "Irish", "tags": {"emotion": "happy"}},
            "A woman with an Irish accent speaks in a happy tone.",
        ),
        (
            {"gender": "male", "tags": {"pitch": "low-pitched", "speaking_rate": "fast speed", "age": "elderly"}},
            "An elderly man speaks with a low pitch and a fast pace.",
        ),
        (
            {"tags": {"style": "whispered", "loudness": "quiet", "pitch": "high", "speaking_rate": "slow"}},
            "A speaker speaks in a whispered style with a high pitch, a slow pace and a quiet volume.",
        ),
        ({"tags": {"global_caption": " The speakers (two takes)\n talk fast. "}}, "The speaker talk fast."),
    ],
)
def test_a_sentence_says_what_was_noted(fields, sentence):
    assert overall_from_metadata(make_segment(**fields)) == sentence


def test_tags_that_say_something_are_shown():
    segment = make_segment(gender="male", accent="unknown", tags={"emotion": "sad", "style_prompt": "x", "age": ""})
    assert noted_tags(segment) == {"gender": "male", "emotion": "sad"}

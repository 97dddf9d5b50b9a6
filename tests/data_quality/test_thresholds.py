"""Thresholds are read from one file, changed by key, and refused when a key is wrong."""

import pytest

from clsp.errors import ConfigError
from data_quality.thresholds import load_thresholds


def test_built_in_thresholds_follow_the_published_filter():
    accepted = load_thresholds().accepted
    assert (accepted.min_fine_characters, accepted.max_fine_characters, accepted.min_global_characters) == (
        128,
        768,
        32,
    )


def test_text_changes_the_keys_it_names_and_no_other():
    changed = load_thresholds("examples: {max_seconds: 12.5}")
    assert changed.examples.max_seconds == 12.5
    assert changed.examples.min_seconds == load_thresholds().examples.min_seconds
    assert changed.captions == load_thresholds().captions


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("examples: {max_second: 12}", "examples.max_second"),
        ("example: {max_seconds: 12}", "example"),
        ("verdicts: {max_rejected_share: 1.2}", "verdicts.max_rejected_share"),
        ("examples: {min_by_split: {holdout: 1}}", "examples.min_by_split.holdout"),
        ("accepted: {negations: []}", "accepted.negations"),
        ("max_seconds: 12", "groups of keys"),
        ("[1, 2]", "groups of keys"),
        ("examples: {", "not YAML"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(text, named):
    with pytest.raises(ConfigError, match=named):
        load_thresholds(text)

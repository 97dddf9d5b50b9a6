"""Splits are disjoint by construction, near their shares, never empty when they need not be, and repeatable."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from clsp.ingest.splits import split_groups

SIZES = st.dictionaries(st.text(max_size=5), st.integers(1, 500), min_size=3, max_size=25)


@given(SIZES, st.integers(0, 5))
def test_three_speakers_are_enough_for_three_splits(sizes, seed):
    splits = split_groups(sizes, 0.1, 0.15, seed)
    assert splits.keys() == sizes.keys()
    assert set(splits.values()) == {"train", "dev", "test"}
    assert splits == split_groups(dict(reversed(sizes.items())), 0.1, 0.15, seed)


@given(st.lists(st.integers(5, 15), min_size=60, max_size=90), st.integers(0, 5))
def test_shares_are_met_when_speakers_are_many(counts, seed):
    sizes = {f"s{number}": count for number, count in enumerate(counts)}
    held: Counter[str] = Counter()
    for speaker, split in split_groups(sizes, 0.1, 0.2, seed).items():
        held[split] += sizes[speaker]
    assert abs(held["dev"] / sum(counts) - 0.1) < 0.03
    assert abs(held["test"] / sum(counts) - 0.2) < 0.03


def test_a_giant_is_trained_on():
    assert split_groups({"giant": 1000, "a": 10, "b": 10}, 0.1, 0.15, 0)["giant"] == "train"


def test_a_share_of_nothing_is_empty():
    sizes = {f"s{number}": 10 for number in range(20)}
    assert set(split_groups(sizes, 0, 0, 0).values()) == {"train"}
    assert set(split_groups(sizes, 0, 0.3, 0).values()) == {"train", "test"}


def test_the_seed_decides_who_is_held_out():
    sizes = {f"s{number}": 10 for number in range(20)}
    drawn = {tuple(sorted(split_groups(sizes, 0.1, 0.15, seed).items())) for seed in range(5)}
    assert len(drawn) == 5


def test_too_few_groups_leave_something_to_train_on():
    assert split_groups({"only": 9}, 0.1, 0.15, 0) == {"only": "train"}
    assert "train" in split_groups({"a": 9, "b": 1}, 0.1, 0.15, 0).values()

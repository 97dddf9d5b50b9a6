"""A table judged in parts is the table judged whole: what is counted of parts adds up, however they are cut."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clsp.hashing import canonical_json
from data_quality import evidence as evidence_module
from data_quality.drift import bin_counts, reference_bins
from data_quality.gate import Gate
from data_quality.keys import Gathering, Pairs, count, hashes
from data_quality.spool import TextSpool
from data_quality.tally import tally
from data_quality.thresholds import load_thresholds
from data_quality.variety import variety
from data_quality.wording import words
from tests.data_quality.test_gate import SPOILED
from tests.judged_rows import ANY_DRIFT

names = st.lists(st.sampled_from("abcdefgh"), max_size=30)
texts = st.lists(st.text("abc DE,.é'", max_size=30), max_size=12)
CUTS = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted)


def parts(rows, cuts):
    return [rows[start:stop] for start, stop in pairwise([0, *cuts, len(rows)])]


def same(one, two) -> bool:
    return one.keys.tolist() == two.keys.tolist() and one.counts.tolist() == two.counts.tolist()


@given(names, CUTS)
def test_counts_of_parts_add_up_in_any_grouping(rows, cuts):
    first, second, third = (count(hashes(part)) for part in parts(rows, cuts))
    whole = count(hashes(rows))
    assert same((first + second) + third, whole)
    assert same(first + (second + third), whole)
    gathered = Gathering()
    for row in rows:
        gathered.add(hashes([row]))
    assert same(gathered.total(), whole)
    expected = Counter(rows)
    assert whole.of(hashes("abcdefghxyz")).tolist() == [expected[name] for name in "abcdefghxyz"]
    assert len(whole.repeated()) == sum(number > 1 for number in expected.values())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-3, 3)), max_size=30), CUTS)
def test_distinct_values_of_a_group_are_counted_over_all_parts(rows, cuts):
    pairs = Pairs()
    for part in parts(rows, cuts):
        numbers = np.array([number for _, number in part], np.int64).astype(np.uint64)
        pairs.add(hashes(name for name, _ in part), numbers)
    expected = Counter(name for name, _ in set(rows))
    assert pairs.total().of(hashes("abc")).tolist() == [expected[name] for name in "abc"]


@given(texts, CUTS, st.integers(1, 7))
def test_variety_of_parts_is_that_of_the_whole_and_of_its_definition(rows, cuts, window):
    first, second, third = (variety(part, window) for part in parts(rows, cuts))
    said = [word for text in rows for word in words(text)]
    windows = [said[start : start + window] for start in range(0, len(said) - window + 1, window)] or [said]
    expected = sum(len(set(part)) / len(part) for part in windows) / len(windows) if said else 0.0
    for joined in ((first + second) + third, first + (second + third)):
        assert joined.share == pytest.approx(expected)
        assert (joined.head, joined.tail) == (variety(rows, window).head, variety(rows, window).tail)
        assert joined.sums.tolist() == variety(rows, window).sums.tolist()


@given(st.lists(st.floats(0, 100), min_size=1, max_size=40), CUTS)
def test_bins_of_parts_add_up(values, cuts):
    edges, _ = reference_bins(values)
    assert sum(bin_counts(part, edges) for part in parts(values, cuts)).tolist() == bin_counts(values, edges).tolist()


broken_rows = st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.booleans()), max_size=30)


@given(broken_rows, CUTS)
def test_tallies_of_parts_are_those_of_the_whole(rows, cuts):
    tallies = [_tally(part) for part in parts(rows, cuts)]
    assert (tallies[0] + tallies[1]) + tallies[2] == tallies[0] + (tallies[1] + tallies[2]) == _tally(rows)


def _tally(rows):
    broken = [(name, place) for place, (name, breaks) in enumerate(rows) if breaks]
    found = {
        "element_count": len(rows),
        "unexpected_count": len(broken),
        "unexpected_list": [name for name, _ in broken],
        "unexpected_index_list": [{"id": name} for name, _ in broken],
    }
    return tally(found, pd.DataFrame({"id": [name for name, _ in rows]}, dtype=object), 2)


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.text(max_size=20), max_size=12))
def test_texts_are_found_again_by_their_key(held):
    with TextSpool() as spool:
        for key, text in held.items():
            spool.add([key], [text])
        spool.close_book()
        found = spool.of(hashes([*held, "nobody"]))
    assert found == [text.replace("\n", " ") or None for text in held.values()] + [None]


@pytest.fixture(scope="module")
def spoiled(evidence):
    """Rows that break many rules at once."""
    for rule in ("captions.judged", "captions.duplicates", "segments.speaker_disjoint", "accepted.negation"):
        evidence = SPOILED[rule](evidence)
    return replace(evidence, examples=(*evidence.examples, evidence.examples[0]), segments=evidence.segments * 2)


@pytest.mark.parametrize("rows", [5, 17])
def test_a_judgement_does_not_depend_on_how_rows_are_batched(spoiled, monkeypatch, rows):
    gate = Gate(load_thresholds(ANY_DRIFT), max_example_rows=3)
    whole = gate.judge(spoiled)
    monkeypatch.setattr(evidence_module, "BATCH_ROWS", rows)
    cut = gate.judge(spoiled)
    assert canonical_json(cut.summary()) == canonical_json(whole.summary())
    assert len(whole.failed) > 6
    assert cut.pages == whole.pages

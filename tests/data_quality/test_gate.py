"""Every rule is made to fail by rows that break it; rows that are right pass all of them."""

import logging
from dataclasses import replace

import pytest

from clsp.errors import QualityError
from clsp.records import Failure
from data_quality.evidence import Evidence
from data_quality.gate import Gate
from data_quality.thresholds import load_thresholds
from tests.judged_rows import ANY_DRIFT, verdict


def spoil(rows, change, places=(0,)):
    return tuple(change(row) if place in places else row for place, row in enumerate(rows))


def change_captions(evidence, change, places=(0,)):
    return replace(evidence, captions=spoil(evidence.captions, change, places))


def change_accepted(evidence, change, places=(0,)):
    return replace(evidence, accepted=spoil(evidence.accepted, change, places))


def change_examples(evidence, change, places=(0,)):
    return replace(evidence, examples=spoil(evidence.examples, change, places))


def change_segments(evidence, change, places=(0,)):
    return replace(evidence, segments=spoil(evidence.segments, change, places))


def rejecting(evidence, item):
    return replace(evidence, verdicts=tuple(verdict(caption, item(n)) for n, caption in enumerate(evidence.captions)))


def failing(evidence, count):
    gone = {caption.id for caption in evidence.captions[:count]}
    failures = tuple(Failure(name, "verify", "failed", "timeout", "", 4) for name in sorted(gone))
    return replace(
        evidence,
        verdicts=tuple(judged for judged in evidence.verdicts if judged.caption_id not in gone),
        failures=failures,
    )


def only_fine(captions, count):
    return tuple(caption for caption in captions if caption.kind == "global" or caption.view < count)


FINE_PLACES = tuple(place for place in range(48) if place % 3 != 2)
SPOILED = {
    "captions.present": lambda e: replace(e, captions=()),
    "captions.id_present": lambda e: change_captions(e, lambda c: replace(c, id="")),
    "captions.id_unique": lambda e: replace(e, captions=(*e.captions, e.captions[0])),
    "captions.segment_known": lambda e: change_captions(e, lambda c: replace(c, segment_id="nobody")),
    "captions.judged": lambda e: replace(e, verdicts=e.verdicts[1:]),
    "captions.failed_share": lambda e: failing(e, 10),
    "captions.duplicates": lambda e: change_captions(
        e, lambda c: replace(c, text=e.captions[0].text), FINE_PLACES[:16]
    ),
    "captions.near_duplicates": lambda e: change_captions(
        e, lambda c: replace(c, text=" ".join([*reversed(e.captions[0].text.split()), "and " * c.seed])), FINE_PLACES
    ),
    "captions.distinct_words": lambda e: change_captions(e, lambda c: replace(c, text="same " * 40), FINE_PLACES),
    "segments.present": lambda e: replace(e, segments=()),
    "segments.id_present": lambda e: change_segments(e, lambda s: replace(s, id="")),
    "segments.id_unique": lambda e: replace(e, segments=(*e.segments, e.segments[0])),
    "segments.captioned": lambda e: replace(e, captions=e.captions[9:]),
    "segments.fine_captions": lambda e: replace(e, captions=(*e.captions, *(e.captions[0],) * 30)),
    "segments.global_captions": lambda e: replace(e, captions=(*e.captions, *(e.captions[2],) * 2)),
    "segments.views_complete": lambda e: replace(e, captions=e.captions[1:]),
    "segments.seeds_distinct": lambda e: change_captions(e, lambda c: replace(c, seed=1)),
    "segments.speaker_disjoint": lambda e: change_segments(e, lambda s: replace(s, split="test")),
    "verdicts.present": lambda e: replace(e, verdicts=()),
    "verdicts.id_present": lambda e: replace(e, verdicts=spoil(e.verdicts, lambda v: replace(v, caption_id=""))),
    "verdicts.id_unique": lambda e: replace(e, verdicts=(*e.verdicts, e.verdicts[0])),
    "verdicts.caption_known": lambda e: replace(e, captions=e.captions[1:]),
    "verdicts.item_named": lambda e: replace(e, verdicts=spoil(e.verdicts, lambda v: replace(v, passed=False))),
    "verdicts.rejected_share": lambda e: rejecting(e, lambda n: ("tags", "background", "length")[n % 3]),
    "verdicts.rejected_share/tags": lambda e: rejecting(e, lambda n: "tags" if n % 3 else ""),
    "accepted.transcript": lambda e: change_segments(
        e, lambda s: replace(s, transcript="I am heard as clip AX, speaks at last"), (0,)
    ),
    "accepted.language": lambda e: change_accepted(
        e, lambda c: replace(c, text="Eine ruhige Stimme spricht mit gleichem Tempo und wird dann leiser. " * 3), (0, 1)
    ),
    "examples.drift/duration_s": lambda e: replace(
        e, baseline=tuple(replace(x, duration_s=x.duration_s + 5) for x in e.examples)
    ),
    "examples.drift/caption_words": lambda e: replace(
        e, baseline=tuple(replace(x, fine=("a few words",)) for x in e.examples)
    ),
    "accepted.present": lambda e: replace(e, accepted=()),
    "accepted.id_present": lambda e: change_accepted(e, lambda c: replace(c, id="")),
    "accepted.id_unique": lambda e: replace(e, accepted=(*e.accepted, e.accepted[0])),
    "accepted.passed": lambda e: replace(e, accepted=e.captions),
    "accepted.unchanged": lambda e: change_accepted(e, lambda c: replace(c, text=c.text + ".")),
    "accepted.fine_length": lambda e: change_accepted(e, lambda c: replace(c, text="A short one.", kind="fine")),
    "accepted.global_length": lambda e: change_accepted(e, lambda c: replace(c, text="A voice.", kind="global")),
    "accepted.negation": lambda e: change_accepted(e, lambda c: replace(c, text=f"{c.text} Without haste.")),
    "accepted.several_speakers": lambda e: change_accepted(e, lambda c: replace(c, text=f"{c.text}, first  SPEAKER")),
    "examples.present": lambda e: replace(e, examples=()),
    "examples.id_present": lambda e: change_examples(e, lambda x: replace(x, segment_id="")),
    "examples.id_unique": lambda e: replace(e, examples=(*e.examples, e.examples[0])),
    "examples.segment_known": lambda e: replace(e, segments=e.segments[1:]),
    "examples.speaker_disjoint": lambda e: change_examples(e, lambda x: replace(x, split="test")),
    "examples.split_size/dev": lambda e: replace(e, examples=tuple(x for x in e.examples if x.split != "dev")),
    "examples.split_size/test": lambda e: replace(e, examples=tuple(x for x in e.examples if x.split != "test")),
    "examples.split_size/train": lambda e: replace(e, examples=tuple(x for x in e.examples if x.split != "train")),
    "examples.duration": lambda e: change_examples(e, lambda x: replace(x, duration_s=30.5)),
    "examples.captioned": lambda e: change_examples(e, lambda x: replace(x, fine=())),
    "examples.captions_accepted": lambda e: change_examples(e, lambda x: replace(x, overall=("Made up.",))),
    "examples.audio": lambda e: change_examples(e, lambda x: replace(x, audio_length=0)),
}


@pytest.fixture(scope="module")
def passing(gate, evidence):
    return gate.judge(evidence, documents=False)


def test_rows_that_are_right_pass_every_rule(passing):
    assert [str(result) for result in passing.failed] == []
    passing.require()


def test_every_rule_has_rows_that_break_it(passing):
    always = {result.rule for result in passing.results}
    assert always - {"verdicts.rejected_share/negation"} == SPOILED.keys() - {"verdicts.rejected_share/tags"}


@pytest.mark.parametrize("rule", SPOILED)
def test_rows_that_break_a_rule_are_refused_by_name_count_and_row(rule, gate, evidence):
    judgement = gate.judge(SPOILED[rule](evidence), documents=False, only={rule.partition(".")[0]})
    broken = {result.rule: result for result in judgement.failed}
    assert rule in broken
    result = broken[rule]
    with pytest.raises(QualityError) as caught:
        judgement.require()
    assert str(result) in str(caught.value)
    assert result.unexpected > 0
    assert bool(result.rows) == result.per_row
    assert len(result.rows) <= 3
    assert all(row in str(caught.value) for row in result.rows)


def test_the_error_says_what_to_do_and_keeps_texts_to_itself(gate, evidence):
    spoiled = SPOILED["accepted.negation"](evidence)
    with pytest.raises(QualityError) as caught:
        gate.judge(spoiled, documents=False, only={"accepted"}).require("file:///docs/index.html")
    message = str(caught.value)
    assert "accepted.negation (No caption says what is absent): 1 of 42 rows break it: caption-000-fine-0" in message
    assert "open file:///docs/index.html" in message
    assert "measured pace" not in message
    assert caught.value.exit_code == 6


def test_a_rule_about_the_table_says_what_was_observed(gate, evidence):
    judgement = gate.judge(
        SPOILED["examples.split_size/dev"](replace(evidence, baseline=(), baseline_name="")),
        documents=False,
        only={"examples"},
    )
    assert [str(result) for result in judgement.failed] == [
        "examples.split_size/dev (There are enough examples in dev): 0 observed, at least 1 needed"
    ]


def test_shares_count_rows_that_break_a_rule(passing):
    result = next(result for result in passing.results if result.rule == "verdicts.rejected_share")
    assert (result.unexpected, result.checked, result.observed, result.limit) == (6, 48, 0.125, 0.8)


def test_no_more_rows_are_named_than_asked_for(evidence):
    gate = Gate(load_thresholds(), max_example_rows=0)
    failed = gate.judge(SPOILED["accepted.passed"](evidence), documents=False, only={"accepted"}).failed
    assert [(result.unexpected, result.rows) for result in failed] == [(6, ())]


def test_people_may_write_captions_of_any_number_with_one_seed(gate, evidence):
    by_hand = tuple(replace(caption, model="", seed=0) for caption in evidence.captions[1:])
    judgement = gate.judge(replace(evidence, captions=by_hand), documents=False, only={"segments"})
    assert not judgement.failed


def test_nothing_is_logged_or_printed(gate, evidence, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    gate.judge(SPOILED["accepted.negation"](evidence), documents=False, only={"accepted"})
    written = capfd.readouterr()
    assert (written.out, written.err) == ("", "")
    assert not [record for record in caplog.records if record.name.startswith("great_expectations")]


@pytest.mark.parametrize(
    ("changes", "thresholds", "words"),
    [
        ({}, ANY_DRIFT, "Drift is judged against data set ba5eba5eba5e, of 16 examples."),
        ({}, "", "ba5eba5eba5e is not judged: 16 examples here and 16 there, of each 500 are needed."),
        ({}, "examples: {max_drift: {}}", "ba5eba5eba5e is not judged: examples.max_drift holds no limit."),
        ({"baseline": (), "baseline_name": ""}, "", "not judged: there is no data set that was accepted before."),
    ],
)
def test_what_drift_is_judged_against_is_said(evidence, changes, thresholds, words):
    judgement = Gate(load_thresholds(thresholds), 3).judge(
        replace(evidence, **changes), documents=False, only={"examples"}
    )
    assert judgement.drift.endswith(words)
    judged = any(result.rule.startswith("examples.drift/") for result in judgement.results)
    assert judged == words.startswith("Drift is judged")


def test_drift_says_how_data_of_another_kind_is_kept_apart(gate, evidence):
    with pytest.raises(QualityError, match=r"quality\.dataset"):
        gate.judge(SPOILED["examples.drift/duration_s"](evidence), documents=False, only={"examples"}).require()


def test_evidence_may_be_empty(gate):
    judgement = gate.judge(Evidence((), (), (), (), (), ()), documents=False)
    assert {result.rule for result in judgement.failed} >= {"captions.present", "examples.split_size/train"}

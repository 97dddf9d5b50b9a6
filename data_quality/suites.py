"""The rules, a suite a table: what data must be like before anything is trained on it.

A rule is a name, a sentence for people and an expectation; every number in it comes from the thresholds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import great_expectations.expectations as gxe
from great_expectations.expectations.row_conditions import Column

from data_quality.drift import reference_bins, stability_index
from data_quality.expectations import (
    ExpectColumnDistinctWordShareToBeBetween,
    ExpectColumnPairToShareNoPhrase,
    ExpectColumnToBeStable,
    ExpectColumnValuesToBeEnglish,
)
from data_quality.thresholds import Thresholds
from data_quality.wording import phrase_pattern


@dataclass(frozen=True)
class Rule:
    """One demand on one table. ``name`` is ``SUITE.RULE``; ``says`` is the demand in words.

    What a rule about the whole table observes is ``observe`` of the sum of what it saw in each batch.
    """

    name: str
    says: str
    expectation: Any
    observe: Callable[[Any], float] = float


Baseline = Mapping[str, Sequence[float]]  # values of an earlier data set by column of its examples


def rules(thresholds: Thresholds, items: Sequence[str], baseline: Baseline) -> dict[str, list[Rule]]:
    """All rules by suite; ``items`` are the checklist items and rule names that rejected something.

    Drift is judged where there is a ``baseline``.
    """
    return {
        "captions": _caption_rules(thresholds),
        "segments": _segment_rules(thresholds),
        "verdicts": _verdict_rules(thresholds, items),
        "accepted": _accepted_rules(thresholds),
        "examples": [*_example_rules(thresholds), *_drift_rules(thresholds, baseline)],
    }


def _rule(
    name: str,
    says: str,
    make: Callable[..., Any],
    may_break: float = 0.0,
    observe: Callable[[Any], float] = float,
    **arguments: Any,
) -> Rule:
    if may_break:
        arguments["mostly"] = round(1 - may_break, 9)
    return Rule(name, says, make(description=says, meta={"rule": name}, **arguments), observe)


def _true(name: str, says: str, column: str, may_break: float = 0.0) -> Rule:
    return _rule(name, says, gxe.ExpectColumnValuesToBeInSet, may_break, column=column, value_set=[True])


def _once(name: str, says: str, column: str, may_break: float = 0.0) -> Rule:
    """Of a column that tells how many rows hold the same as this one."""
    return _rule(name, says, gxe.ExpectColumnValuesToBeInSet, may_break, column=column, value_set=[1])


def _identified(suite: str) -> list[Rule]:
    return [
        _rule(f"{suite}.present", "There are rows", gxe.ExpectTableRowCountToBeBetween, min_value=1),
        _rule(f"{suite}.id_present", "Every row has an id", gxe.ExpectColumnValuesToNotBeNull, column="id"),
        _once(f"{suite}.id_unique", "No id occurs twice", "rows_with_this_id"),
    ]


def _caption_rules(thresholds: Thresholds) -> list[Rule]:
    limits = thresholds.captions
    return [
        *_identified("captions"),
        _true("captions.segment_known", "Every caption belongs to a segment", "segment_known"),
        _once("captions.judged", "Every caption has one verdict, or one record of why it has none", "outcomes"),
        _rule(
            "captions.failed_share",
            "Few captions could not be judged",
            gxe.ExpectColumnValuesToBeInSet,
            column="failed",
            value_set=[False],
            may_break=limits.max_failed_share,
        ),
        _once(
            "captions.duplicates",
            "Few fine captions have the text of another",
            "rows_with_this_text",
            limits.max_duplicate_share,
        ),
        _once(
            "captions.near_duplicates",
            "Few fine captions are made of the content words of another",
            "rows_with_these_words",
            limits.max_near_duplicate_share,
        ),
        _rule(
            "captions.distinct_words",
            "Words vary within a window of consecutive words",
            ExpectColumnDistinctWordShareToBeBetween,
            observe=lambda part: part.share,
            column="fine_text",
            window=limits.distinct_word_window,
            min_value=limits.min_distinct_word_share,
        ),
    ]


def _segment_rules(thresholds: Thresholds) -> list[Rule]:
    limits = thresholds.segments
    return [
        *_identified("segments"),
        _rule(
            "segments.captioned",
            "Few segments are without a fine caption",
            gxe.ExpectColumnValuesToBeBetween,
            column="fine",
            min_value=1,
            may_break=limits.max_captionless_share,
        ),
        _rule(
            "segments.fine_captions",
            "No segment has too many fine captions",
            gxe.ExpectColumnValuesToBeBetween,
            column="fine",
            max_value=limits.max_fine,
        ),
        _rule(
            "segments.global_captions",
            "No segment has too many global captions",
            gxe.ExpectColumnValuesToBeBetween,
            column="overall",
            max_value=limits.max_global,
        ),
        _true(
            "segments.views_complete",
            "Few captioned segments lack a view",
            "views_complete",
            may_break=limits.max_incomplete_share,
        ),
        _true("segments.seeds_distinct", "Each view of a segment has its own seed", "seeds_distinct"),
        _one_split("segments"),
    ]


def _one_split(suite: str) -> Rule:
    return _once(f"{suite}.speaker_disjoint", "A speaker is in one split", "speaker_splits")


def _verdict_rules(thresholds: Thresholds, items: Sequence[str]) -> list[Rule]:
    limits = thresholds.verdicts
    shares = {item: limits.max_rejected_share_by_item.get(item, limits.max_rejected_share_of_item) for item in items}
    by_item = [
        _rule(
            f"verdicts.rejected_share/{item}",
            "No item rejects most captions",
            gxe.ExpectColumnValuesToNotBeInSet,
            column="item",
            value_set=[item],
            may_break=share,
        )
        for item, share in sorted(shares.items())
    ]
    return [
        *_identified("verdicts"),
        _true("verdicts.caption_known", "Every verdict is about a caption", "caption_known"),
        _true("verdicts.item_named", "Every rejection, and nothing else, names an item", "explained"),
        _true(
            "verdicts.rejected_share", "Enough captions pass", "passed", may_break=limits.max_rejected_share
        ),
        *by_item,
    ]  # fmt: skip


def _accepted_rules(thresholds: Thresholds) -> list[Rule]:
    limits = thresholds.accepted
    return [
        *_identified("accepted"),
        _true("accepted.passed", "Every accepted caption has passed", "passed"),
        _true("accepted.unchanged", "Every accepted caption is as it was written", "unchanged"),
        _rule(
            "accepted.fine_length",
            "Fine captions are neither short nor long, in characters",
            gxe.ExpectColumnValuesToBeBetween,
            column="fine_characters",
            min_value=limits.min_fine_characters,
            max_value=limits.max_fine_characters,
        ),
        _rule(
            "accepted.global_length",
            "Global captions are not short, in characters",
            gxe.ExpectColumnValuesToBeBetween,
            column="overall_characters",
            min_value=limits.min_global_characters,
        ),
        _absent("accepted.negation", "No caption says what is absent", limits.negations),
        _absent("accepted.several_speakers", "No caption speaks of several speakers", limits.several_speakers),
        _rule(
            "accepted.transcript",
            "No caption repeats words of its transcript",
            ExpectColumnPairToShareNoPhrase,
            column_A="text",
            column_B="transcript",
            words=limits.leak_words,
            may_break=limits.max_leaking_share,
        ),
        _rule(
            "accepted.language",
            "Captions are English",
            ExpectColumnValuesToBeEnglish,
            column="text",
            min_share=limits.min_english_share,
            may_break=limits.max_foreign_share,
        ),
    ]


def _absent(name: str, says: str, phrases: Sequence[str]) -> Rule:
    pattern = phrase_pattern(phrases)
    return _rule(name, says, gxe.ExpectColumnValuesToNotMatchRegex, column="text", regex=pattern)


def _example_rules(thresholds: Thresholds) -> list[Rule]:
    limits = thresholds.examples
    sizes = [
        _rule(
            f"examples.split_size/{split}",
            f"There are enough examples in {split}",
            gxe.ExpectTableRowCountToBeBetween,
            min_value=least,
            row_condition=Column("split") == split,
        )
        for split, least in sorted(limits.min_by_split.items())
    ]
    return [
        *_identified("examples"),
        _true("examples.segment_known", "Every example is a segment", "segment_known"),
        _one_split("examples"),
        *sizes,
        _rule(
            "examples.duration",
            "Durations are within bounds, in seconds",
            gxe.ExpectColumnValuesToBeBetween,
            column="duration_s",
            min_value=limits.min_seconds,
            max_value=limits.max_seconds,
        ),
        _rule(
            "examples.captioned",
            "Every example has a fine caption",
            gxe.ExpectColumnValuesToBeBetween,
            column="fine",
            min_value=1,
        ),
        _true("examples.captions_accepted", "Every caption of an example has passed", "captions_accepted"),
        _rule(
            "examples.audio",
            "Every example has sound",
            gxe.ExpectColumnValuesToBeBetween,
            column="audio_bytes",
            min_value=1,
        ),
    ]


def _drift_rules(thresholds: Thresholds, baseline: Baseline) -> list[Rule]:
    limits = thresholds.examples.max_drift
    return [
        _rule(
            f"examples.drift/{column}",
            "The data set is like the one accepted before",
            ExpectColumnToBeStable,
            observe=partial(stability_index, shares=shares),
            column=column,
            edges=edges,
            shares=shares,
            max_value=limits[column],
        )
        for column, (edges, shares) in ((name, reference_bins(values)) for name, values in sorted(baseline.items()))
        if column in limits
    ]

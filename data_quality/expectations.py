"""Expectations that Great Expectations does not bring: variety of words, language, leaks of a transcript, drift.

They are ordinary expectations, so they appear in Data Docs beside the built-in ones. Those about a column as a whole
hand out, beside what they observe in a batch, the part of it that can be added to another batch's.
"""

import html
from typing import Any

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import (
    ColumnAggregateExpectation,
    ColumnMapExpectation,
    ColumnPairMapExpectation,
)
from great_expectations.expectations.metrics.column_aggregate_metric_provider import (
    ColumnAggregateMetricProvider,
    column_aggregate_value,
)
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    ColumnPairMapMetricProvider,
    column_condition_partial,
    column_pair_condition_partial,
)

from data_quality.drift import bin_counts, stability_index
from data_quality.variety import Variety, variety
from data_quality.wording import english_share, share_a_phrase


class WordVariety(ColumnAggregateMetricProvider):  # type: ignore[misc]
    """Variety of the words of a batch."""

    metric_name = "column.word_variety"
    value_keys = ("window",)

    @column_aggregate_value(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column: "pd.Series[str]", window: int, **_: Any) -> Variety:  # noqa: N805
        return variety(map(html.unescape, column.dropna()), window)


class ExpectColumnDistinctWordShareToBeBetween(ColumnAggregateExpectation):  # type: ignore[misc]
    """Expect the words of a text column to vary: distinct words a window, as a share of the window."""

    window: int
    min_value: float
    max_value: float = 1.0

    metric_dependencies = ("column.word_variety",)
    success_keys = ("window", "min_value", "max_value")

    def _validate(self, metrics: dict[str, Any], **_: Any) -> dict[str, Any]:
        part = metrics["column.word_variety"]
        success = self.min_value <= part.share <= self.max_value
        return {"success": success, "result": {"observed_value": part.share, "details": {"part": part}}}


class IsEnglish(ColumnMapMetricProvider):  # type: ignore[misc]
    """True for texts with at least a share of English function words."""

    condition_metric_name = "column_values.english"
    condition_value_keys = ("min_share",)

    @column_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column: "pd.Series[str]", min_share: float, **_: Any) -> Any:  # noqa: N805
        return column.map(lambda text: english_share(html.unescape(text)) >= min_share)


class ExpectColumnValuesToBeEnglish(ColumnMapExpectation):  # type: ignore[misc]
    """Expect texts to be English, by the words that hold its sentences together."""

    min_share: float

    map_metric = "column_values.english"
    success_keys = ("min_share", "mostly")


class SharesNoPhrase(ColumnPairMapMetricProvider):  # type: ignore[misc]
    """True for rows whose text (column A) repeats no run of words of another text (column B)."""

    condition_metric_name = "column_pair_values.share_no_phrase"
    condition_value_keys = ("words",)

    @column_pair_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_A: Any, column_B: Any, words: int, **_: Any) -> Any:  # noqa: N803, N805
        pairs = zip(column_A.map(html.unescape), column_B.map(html.unescape), strict=True)
        return pd.Series([not share_a_phrase(text, said, words) for text, said in pairs], index=column_A.index)


class ExpectColumnPairToShareNoPhrase(ColumnPairMapExpectation):  # type: ignore[misc]
    """Expect a caption to repeat no run of words of its transcript."""

    ignore_row_if: str = "either_value_is_missing"
    words: int

    map_metric = "column_pair_values.share_no_phrase"
    success_keys = ("column_A", "column_B", "ignore_row_if", "words", "mostly")


class BinCounts(ColumnAggregateMetricProvider):  # type: ignore[misc]
    """How many values are in each bin of another data set."""

    metric_name = "column.bin_counts"
    value_keys = ("edges",)

    @column_aggregate_value(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column: "pd.Series[float]", edges: list[float], **_: Any) -> Any:  # noqa: N805
        return bin_counts(column.astype(float).to_numpy(), edges)


class ExpectColumnToBeStable(ColumnAggregateExpectation):  # type: ignore[misc]
    """Expect the distribution of a column to be near that of an earlier data set."""

    edges: list[float]
    shares: list[float]
    max_value: float

    metric_dependencies = ("column.bin_counts",)
    success_keys = ("edges", "shares", "max_value")

    def _validate(self, metrics: dict[str, Any], **_: Any) -> dict[str, Any]:
        part = metrics["column.bin_counts"]
        observed = stability_index(part, self.shares)
        return {
            "success": observed <= self.max_value, "result": {"observed_value": observed, "details": {"part": part}},
        }  # fmt: skip

"""Expectations that Great Expectations does not bring: one value a group, and the variety of words.

They are ordinary expectations, so they appear in Data Docs beside the built-in ones.
"""

import html
from typing import Any

import pandas as pd
from great_expectations.execution_engine import PandasExecutionEngine
from great_expectations.expectations.expectation import ColumnAggregateExpectation, ColumnPairMapExpectation
from great_expectations.expectations.metrics.column_aggregate_metric_provider import (
    ColumnAggregateMetricProvider,
    column_aggregate_value,
)
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnPairMapMetricProvider,
    column_pair_condition_partial,
)

from data_quality.wording import distinct_word_share


class GroupHoldsOneValue(ColumnPairMapMetricProvider):  # type: ignore[misc]
    """True for rows whose group (column A) has the same value (column B) in every row."""

    condition_metric_name = "column_pair_values.group_holds_one_value"

    @column_pair_condition_partial(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column_A: Any, column_B: Any, **_: Any) -> Any:  # noqa: N803, N805
        return column_B.groupby(column_A).transform("nunique") <= 1


class ExpectGroupsToHoldOneValue(ColumnPairMapExpectation):  # type: ignore[misc]
    """Expect every group of column A to have one value of column B: a speaker is in one split."""

    ignore_row_if: str = "neither"  # a row without a speaker or a split is a row all the same

    map_metric = "column_pair_values.group_holds_one_value"
    success_keys = ("column_A", "column_B", "ignore_row_if", "mostly")


class DistinctWordShare(ColumnAggregateMetricProvider):  # type: ignore[misc]
    """Mean share of distinct words in windows of consecutive words."""

    metric_name = "column.distinct_word_share"
    value_keys = ("window",)

    @column_aggregate_value(engine=PandasExecutionEngine)  # type: ignore[untyped-decorator]
    def _pandas(cls, column: "pd.Series[str]", window: int, **_: Any) -> float:  # noqa: N805
        return distinct_word_share(map(html.unescape, column.dropna()), window)


class ExpectColumnDistinctWordShareToBeBetween(ColumnAggregateExpectation):  # type: ignore[misc]
    """Expect the words of a text column to vary: distinct words a window, as a share of the window."""

    window: int
    min_value: float
    max_value: float = 1.0

    metric_dependencies = ("column.distinct_word_share",)
    success_keys = ("window", "min_value", "max_value")

    def _validate(self, metrics: dict[str, Any], **_: Any) -> dict[str, Any]:
        observed = metrics["column.distinct_word_share"]
        return {"success": self.min_value <= observed <= self.max_value, "result": {"observed_value": observed}}

"""How one rule went over a batch of rows, and over several: tallies add up, so no more than a batch is ever held.

A tally keeps numbers, and of the rows that break the rule the first few. Adding is associative and keeps the order of
the batches, so the tally of a table is that of its batches, however they are cut and grouped.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import pandas as pd

from data_quality.suites import Rule

LISTED = 20  # values that break a rule, as many as Data Docs list


@dataclass(frozen=True)
class Tally:
    """``rows`` are at most ``most_rows`` that break the rule, by id, with their values (escaped); ``listed`` the first
    values with their ids. A rule about the table as a whole has a ``part`` of what it observes instead.
    """

    most_rows: int
    checked: int = 0
    missing: int = 0
    unexpected: int = 0
    rows: tuple[tuple[str | None, dict[str, Any]], ...] = ()
    listed: tuple[tuple[Any, dict[str, Any]], ...] = ()
    part: Any = None

    def __add__(self, other: Self) -> "Tally":
        rows = dict([*reversed(other.rows), *reversed(self.rows)])
        named = dict.fromkeys(name for name, _ in (*self.rows, *other.rows))
        return replace(
            self,
            checked=self.checked + other.checked,
            missing=self.missing + other.missing,
            unexpected=self.unexpected + other.unexpected,
            rows=tuple((name, rows[name]) for name in [*named][: self.most_rows]),
            listed=(self.listed + other.listed)[:LISTED],
            part=other.part if self.part is None else self.part + other.part,
        )

    def passes(self, rule: Rule) -> bool:
        """Whether all that was added up keeps the rule."""
        arguments = rule.expectation.configuration.kwargs
        if self.part is None:
            kept = self.checked - self.unexpected
            return not self.checked or kept / self.checked >= arguments.get("mostly", 1.0)
        observed = rule.observe(self.part)
        least, most = arguments.get("min_value"), arguments.get("max_value")
        return bool((least is None or observed >= least) and (most is None or observed <= most))

    def result(self, rule: Rule) -> dict[str, Any]:
        """What Great Expectations would have said of all rows at once, except that it lists the first few alone."""
        if self.part is not None:
            return {"observed_value": rule.observe(self.part)}
        elements = self.checked + self.missing
        share, total = _percent(self.unexpected, self.checked), _percent(self.unexpected, elements)
        values = [value for value, _ in self.listed]
        counts = [{"value": value, "count": values.count(value)} for value in _distinct(values)]
        return {
            "element_count": elements,
            "missing_count": self.missing,
            "missing_percent": _percent(self.missing, elements),
            "unexpected_count": self.unexpected,
            "unexpected_percent": share,
            "unexpected_percent_nonmissing": share,
            "unexpected_percent_total": total,
            "unexpected_index_column_names": ["id"],
            "partial_unexpected_list": values,
            "partial_unexpected_counts": counts,
            "partial_unexpected_index_list": [entry for _, entry in self.listed],
        }


def tally(result: dict[str, Any], frame: pd.DataFrame, most_rows: int) -> Tally:
    """What Great Expectations found in one batch, whose table is ``frame``."""
    if "unexpected_count" not in result:
        return Tally(
            most_rows, checked=len(frame), part=result.get("details", {}).get("part", result["observed_value"])
        )
    missing, entries = result.get("missing_count", 0), result["unexpected_index_list"]
    names = [*dict.fromkeys(entry["id"] for entry in entries)][:most_rows]
    return Tally(
        most_rows=most_rows,
        checked=result["element_count"] - missing,
        missing=missing,
        unexpected=result["unexpected_count"],
        rows=tuple((name, _row(frame, name)) for name in names),
        listed=tuple(zip(result["unexpected_list"][:LISTED], entries[:LISTED], strict=True)),
    )


def _row(frame: pd.DataFrame, name: str | None) -> dict[str, Any]:
    found = frame[frame["id"].isna() if name is None else frame["id"] == name]
    return {str(column): value for column, value in found.iloc[0].items()}


def _distinct(values: list[Any]) -> list[Any]:
    return [value for place, value in enumerate(values) if value not in values[:place]]


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None

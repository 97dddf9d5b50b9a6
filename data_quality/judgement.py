"""What the gate says: one result a rule, and the error that stops a run.

Results carry ids and numbers, never the text of a caption, so they may go into logs and manifests.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from clsp.errors import QualityError


@dataclass(frozen=True)
class RuleResult:
    """How one rule went over ``checked`` rows; ``rows`` names some that break it.

    A rule about rows (``per_row``) observes the share of them that break it and ``limit`` is the share that may;
    a rule about the table as a whole observes a number and ``limit`` is the least it may be, or the most (``at_most``);
    ``unexpected`` is then 1.
    """

    rule: str
    says: str
    passed: bool
    observed: float
    limit: float
    checked: int
    unexpected: int
    per_row: bool
    rows: tuple[str, ...]
    at_most: bool = False

    def __str__(self) -> str:
        if not self.per_row:
            demand = f"at most {self.limit:g} allowed" if self.at_most else f"at least {self.limit:g} needed"
            return f"{self.rule} ({self.says}): {self.observed:g} observed, {demand}"
        named = f": {', '.join(self.rows)}" if self.rows else ""
        allowed = f", {self.limit:.1%} may" if self.limit else ""
        return f"{self.rule} ({self.says}): {self.unexpected} of {self.checked} rows break it{allowed}{named}"


@dataclass(frozen=True)
class Judgement:
    """All results, the Data Docs as files by relative path (none where none were asked for), and words on drift."""

    results: tuple[RuleResult, ...]
    pages: Mapping[str, bytes]
    drift: str

    @property
    def failed(self) -> tuple[RuleResult, ...]:
        """Results of the rules that did not pass."""
        return tuple(result for result in self.results if not result.passed)

    def require(self, documents: str = "") -> None:
        """Raise ``QualityError`` naming every failing rule, its count and its rows; ``documents`` is where to look."""
        if self.failed:
            look = f"open {documents}" if documents else "look at the rows named"
            change = "change quality.thresholds if the data is right"
            if any(result.rule.startswith("examples.drift/") for result in self.failed):
                change += ", or give data of another kind a name of its own by quality.dataset"
            raise QualityError(
                "data quality: " + "; ".join(map(str, self.failed)), hint=f"{look}; repair the data, or {change}"
            )

    def summary(self) -> dict[str, JsonValue]:
        """The results as plain JSON."""
        return {
            "passed": not self.failed,
            "drift": self.drift,
            "rules": [{**asdict(result), "rows": [*result.rows]} for result in self.results],
        }

"""The gate that data passes or stops at; Great Expectations works behind it and is seen nowhere else.

A judgement is a pure function of the rows and the thresholds. GX writes to a temporary folder, reaches no network,
shows no progress bars and logs nothing, because its messages may quote the rows.
"""

import html
import logging
import tempfile
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig

from data_quality.crossings import cross
from data_quality.documents import collect_pages
from data_quality.drift import drift_judged
from data_quality.evidence import Evidence
from data_quality.frames import drifting_values, frames
from data_quality.judgement import Judgement, RuleResult
from data_quality.spool import TextSpool
from data_quality.suite_run import SuiteRun
from data_quality.suites import Rule, rules
from data_quality.tally import Tally
from data_quality.thresholds import Thresholds


class Gate:
    """Judges evidence by ``thresholds``; names at most ``max_example_rows`` rows a failing rule."""

    def __init__(self, thresholds: Thresholds, max_example_rows: int) -> None:
        self._thresholds = thresholds
        self._max_rows = max_example_rows

    def judge(self, evidence: Evidence, documents: bool = True, only: Collection[str] = ()) -> Judgement:
        """Judge all rows by all rules (of the suites ``only``, if any); without ``documents`` no pages are written.

        Takes memory for one batch of rows and some 100 bytes a row for what rows must know of each other.
        """
        with TextSpool() as transcripts, tempfile.TemporaryDirectory(prefix="clsp-quality-") as folder, _silence():
            crossings = cross(evidence, transcripts)
            drift, earlier = self._drift(evidence)
            demands = rules(self._thresholds, [*map(html.escape, crossings.verdicts.items)], earlier)
            context = _context(Path(folder))
            tables = frames(evidence, crossings)
            judged = {
                suite: SuiteRun(context, suite, demands[suite], self._max_rows).judge(tables[suite])
                for suite in demands
                if not only or suite in only
            }
            results = [_result(rule, tally) for held in judged.values() for rule, tally in held]
            examples = {
                suite: {_named(name): row for _, tally in held for name, row in tally.rows}
                for suite, held in judged.items()
            }
            pages = collect_pages(context, results, examples, drift) if documents else {}
        return Judgement(tuple(results), pages, drift)

    def _drift(self, evidence: Evidence) -> tuple[str, dict[str, Any]]:
        """Words about drift, and the values that it is judged against, if it is."""
        here, there = len(evidence.examples), len(evidence.baseline)
        judged, words = drift_judged(self._thresholds.examples, evidence.baseline_name, here, there)
        return words, drifting_values(evidence.baseline) if judged else {}


def _result(rule: Rule, tally: Tally) -> RuleResult:
    limits, passed = rule.expectation.configuration.kwargs, tally.passes(rule)
    if tally.part is not None:  # a rule about the table as a whole
        at_most = "min_value" not in limits
        return RuleResult(
            rule=rule.name,
            says=rule.says,
            passed=passed,
            observed=rule.observe(tally.part),
            limit=limits["max_value"] if at_most else limits["min_value"],
            checked=tally.checked,
            unexpected=int(not passed),
            per_row=False,
            rows=(),
            at_most=at_most,
        )
    return RuleResult(
        rule=rule.name,
        says=rule.says,
        passed=passed,
        observed=tally.unexpected / tally.checked if tally.checked else 0.0,
        limit=round(1 - limits.get("mostly", 1.0), 6),
        checked=tally.checked,
        unexpected=tally.unexpected,
        per_row=True,
        rows=tuple(_named(name) for name, _ in tally.rows),
    )


def _named(name: str | None) -> str:
    return html.unescape(name) if name else "(no id)"


def _context(folder: Path) -> Any:
    context = gx.get_context(mode="file", project_root_dir=folder)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    return context


@contextmanager
def _silence() -> Iterator[None]:
    logger = logging.getLogger("great_expectations")
    before = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)

"""The gate that data passes or stops at; Great Expectations works behind it and is seen nowhere else.

A judgement is a pure function of the rows and the thresholds. GX writes to a temporary folder, reaches no network,
shows no progress bars and logs nothing, because its messages may quote the rows.
"""

import html
import logging
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import ProgressBarsConfig

from clsp.errors import QualityError
from data_quality.documents import collect_pages
from data_quality.evidence import Evidence, baseline, tables
from data_quality.judgement import Judgement, RuleResult
from data_quality.suites import Rule, rules
from data_quality.thresholds import Thresholds

# Judgements carry no time: the same rows give the same documents.
_RUN = RunIdentifier(run_name="validate", run_time=datetime(2000, 1, 1, tzinfo=UTC))


class Gate:
    """Judges evidence by ``thresholds``; names at most ``max_example_rows`` rows a failing rule."""

    def __init__(self, thresholds: Thresholds, max_example_rows: int) -> None:
        self._thresholds = thresholds
        self._max_rows = max_example_rows

    def judge(self, evidence: Evidence, documents: bool = True, only: Collection[str] = ()) -> Judgement:
        """Judge all rows by all rules (of the suites ``only``, if any); without ``documents`` no pages are written."""
        frames = tables(evidence)
        items = sorted(set(frames["verdicts"]["item"]) - {""})
        suites = {
            name: held
            for name, held in rules(self._thresholds, items, baseline(evidence)).items()
            if not only or name in only
        }
        with tempfile.TemporaryDirectory(prefix="clsp-quality-") as folder, _silence():
            context = _context(Path(folder))
            results = [
                result
                for suite, demands in suites.items()
                for result in self._validate(context, suite, demands, frames[suite])
            ]
            pages = collect_pages(context, results, frames) if documents else {}
        return Judgement(tuple(results), pages)

    def _validate(self, context: Any, suite: str, demands: Sequence[Rule], frame: pd.DataFrame) -> list[RuleResult]:
        asset = context.data_sources.add_pandas(suite).add_dataframe_asset(suite)
        expectations = gx.ExpectationSuite(name=suite, expectations=[rule.expectation for rule in demands])
        definition = gx.ValidationDefinition(
            name=suite,
            data=asset.add_batch_definition_whole_dataframe("all"),
            suite=context.suites.add(expectations),
        )
        checkpoint = gx.Checkpoint(
            name=suite,
            validation_definitions=[context.validation_definitions.add(definition)],
            result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]},
        )
        outcome = context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame}, run_id=_RUN)
        (found,) = outcome.run_results.values()
        by_name = {one.expectation_config.meta["rule"]: one for one in found.results}
        return [_result(rule, by_name[rule.name], len(frame), self._max_rows) for rule in demands]


def _result(rule: Rule, found: Any, rows: int, max_rows: int) -> RuleResult:
    kwargs, result = found.expectation_config.kwargs, found.result
    if not found.success and not result:
        raise QualityError(
            f"rule {rule.name} could not be judged", hint="a column is missing or of another type: see data_quality"
        )
    if "unexpected_count" not in result:  # a rule about the table as a whole
        observed, passed = float(result["observed_value"]), bool(found.success)
        at_most = "min_value" not in kwargs
        limit = kwargs["max_value"] if at_most else kwargs["min_value"]
        return RuleResult(
            rule.name,
            rule.says,
            passed,
            observed,
            limit,
            rows,
            int(not passed),
            per_row=False,
            rows=(),
            at_most=at_most,
        )
    unexpected, checked = result["unexpected_count"], result["element_count"] - result.get("missing_count", 0)
    return RuleResult(
        rule=rule.name,
        says=rule.says,
        passed=bool(found.success),
        observed=unexpected / checked if checked else 0.0,
        limit=round(1 - kwargs.get("mostly", 1.0), 6),
        checked=checked,
        unexpected=unexpected,
        per_row=True,
        rows=_named(result["unexpected_index_list"], max_rows),
    )


def _named(entries: Sequence[Mapping[str, Any]], most: int) -> tuple[str, ...]:
    ids = (html.unescape(entry["id"]) if entry["id"] else "(no id)" for entry in entries)
    return tuple(islice(dict.fromkeys(ids), most))


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

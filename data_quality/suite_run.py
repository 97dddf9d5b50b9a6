"""One suite over a table that comes in batches: Great Expectations judges each, and what it found is added up.

What is added up goes into Great Expectations' store as if all rows had been judged at once, for its Data Docs.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from clsp.errors import QualityError
from data_quality.suites import Rule
from data_quality.tally import Tally, tally

# Judgements carry no time: the same rows give the same documents.
_RUN = RunIdentifier(run_name="validate", run_time=datetime(2000, 1, 1, tzinfo=UTC))
_FORMAT = {"result_format": "COMPLETE", "unexpected_index_column_names": ["id"]}


class SuiteRun:
    """Judges a table by the rules of the suite ``name``, of which each names at most ``most_rows`` rows."""

    def __init__(self, context: Any, name: str, rules: Sequence[Rule], most_rows: int) -> None:
        self._context, self._name, self._rules, self._most_rows = context, name, rules, most_rows
        self._suite = context.suites.add(
            gx.ExpectationSuite(name=name, expectations=[rule.expectation for rule in rules])
        )
        asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
        self._batches = asset.add_batch_definition_whole_dataframe("all")

    def judge(self, frames: Iterable[pd.DataFrame]) -> list[tuple[Rule, Tally]]:
        """The tallies of all ``frames``, of which there is at least one; they are left in the context for Data Docs."""
        sums, rows = [Tally(self._most_rows)] * len(self._rules), 0
        for frame in frames:
            rows += len(frame)
            found = self._batches.get_batch({"dataframe": frame}).validate(self._suite, result_format=_FORMAT)
            by_name = {one.expectation_config.meta["rule"]: one for one in found.results}
            ordered = [by_name[rule.name] for rule in self._rules]
            sums = [
                before + self._tally(rule, one, frame)
                for before, rule, one in zip(sums, self._rules, ordered, strict=True)
            ]
        judged = [*zip(self._rules, sums, strict=True)]
        self._keep(found, judged, rows)
        return judged

    def _tally(self, rule: Rule, found: Any, frame: pd.DataFrame) -> Tally:
        if not found.success and not found.result:
            raise QualityError(
                f"rule {rule.name} could not be judged", hint="a column is missing or of another type: see data_quality"
            )
        return tally(found.result, frame, self._most_rows)

    def _keep(self, last: Any, judged: Sequence[tuple[Rule, Tally]], rows: int) -> None:
        """Put the sums in the place of what was found in the last batch, in the order of the rules, and store that."""
        by_name = {one.expectation_config.meta["rule"]: one for one in last.results}
        last.results = [by_name[rule.name] for rule, _ in judged]
        for one, (rule, held) in zip(last.results, judged, strict=True):
            one.success, one.result = held.passes(rule), held.result(rule)
        passed = sum(one.success for one in last.results)
        last.success = passed == len(last.results)
        last.statistics = {
            "evaluated_expectations": len(last.results),
            "successful_expectations": passed,
            "unsuccessful_expectations": len(last.results) - passed,
            "success_percent": 100 * passed / len(last.results),
        }
        last.meta |= {"run_id": _RUN, "validation_time": _RUN.run_time, "batch_parameters": None, "batch_markers": {}}
        # Data Docs read the name from here, where Great Expectations leaves none for a data frame.
        last.meta["batch_spec"] = {"data_asset_name": f"{self._name}, {rows:,} {'row' if rows == 1 else 'rows'}"}
        suite = ExpectationSuiteIdentifier(name=self._name)
        self._context.validation_results_store.store_validation_results(
            suite_validation_result=last,
            suite_validation_result_identifier=ValidationResultIdentifier(
                expectation_suite_identifier=suite, run_id=_RUN, batch_identifier=last.batch_id
            ),
            expectation_suite_identifier=suite,
        )

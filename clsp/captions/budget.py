"""How many rows may fail before a step gives up: a few are counted, a sick endpoint ends the step.

Rows of an earlier run count too, so that restarting does not widen the allowance.
"""

from collections.abc import Iterable

from clsp.captions.sums import endpoint_rows
from clsp.config.captions import EndpointSettings
from clsp.errors import EndpointError
from clsp.storage.ledger import UnitResult


class FailureBudget:
    """Counts answers and failures of one step; raises ``EndpointError`` when the endpoint has to be given up."""

    def __init__(self, endpoint: str, rows: int, share: float, patience: int) -> None:
        """``share`` of ``rows`` may fail; while there is no answer at all, ``patience`` failures are enough."""
        self._endpoint = endpoint
        self._rows = rows
        self._allowed = int(share * rows)
        self._patience = patience
        self._failures = 0
        self._answers = 0

    def resume(self, answers: int, failures: int) -> None:
        """Count rows that an earlier run has committed."""
        self._answers += answers
        self._failures += failures

    def answered(self) -> None:
        """Count a usable answer."""
        self._answers += 1

    def failed(self, reason: str) -> None:
        """Count a row that failed after all its attempts."""
        self._failures += 1
        if self._failures > self._allowed or (not self._answers and self._failures >= self._patience):
            raise self._refusal(reason)

    def settle(self) -> None:
        """Before a unit is committed: failures without a single answer so far are the endpoint's, not the rows'."""
        if self._failures and not self._answers:
            raise self._refusal("no answer")

    def _refusal(self, reason: str) -> EndpointError:
        return EndpointError(
            f"{self._endpoint} failed {self._failures} of {self._rows} rows after {self._answers} answers; "
            f"{self._allowed} failures are allowed; the last reason is {reason!r}",
            hint="look at the endpoint's log, then run again: finished work is kept (or raise max_failed_share)",
        )


def step_budget(url: str, endpoint: EndpointSettings, rows: int, done: Iterable[UnitResult]) -> FailureBudget:
    """The budget of a step that asks for ``rows``, of which earlier runs have ``done`` some units."""
    budget = FailureBudget(url, rows, endpoint.max_failed_share, 2 * endpoint.concurrency)
    for result in done:
        budget.resume(*endpoint_rows(result))
    return budget

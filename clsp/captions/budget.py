"""How many rows may fail before a step gives up: a few are counted, a sick endpoint ends the step.

Rows of an earlier run count too, so that restarting does not widen the allowance.
"""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from clsp.captions.sums import endpoint_rows
from clsp.config.captions import EndpointSettings
from clsp.errors import EndpointError
from clsp.storage.ledger import UnitResult


class FailureBudget:
    """Counts answers and failures of one step; raises ``EndpointError`` when the endpoint has to be given up.

    Thread-safe: several units of the step are asked for at once.
    """

    def __init__(self, endpoint: str, rows: int, share: float, patience: int) -> None:
        """``share`` of ``rows`` may fail; while there is no answer at all, ``patience`` failures are enough."""
        self._endpoint = endpoint
        self._rows = rows
        self._allowed = int(share * rows)
        self._patience = patience
        self._failures = 0
        self._answers = 0
        self._asking = 0
        self._reason = "no answer"
        self._changed = threading.Condition()

    def resume(self, answers: int, failures: int) -> None:
        """Count rows that an earlier run has paid for."""
        with self._changed:
            self._answers += answers
            self._failures += failures

    def answered(self) -> None:
        """Count a usable answer."""
        with self._changed:
            self._answers += 1
            self._changed.notify_all()

    def failed(self, reason: str) -> None:
        """Count a row that failed after all its attempts."""
        with self._changed:
            self._failures += 1
            self._reason = reason
            if self._failures > self._allowed or (not self._answers and self._failures >= self._patience):
                raise self._refusal()

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While answers may still come."""
        with self._changed:
            self._asking += 1
        try:
            yield
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify_all()

    def settle(self) -> None:
        """Before a unit is committed: failures without a single answer so far are the endpoint's, not the rows'."""
        with self._changed:
            self._changed.wait_for(lambda: self._answers or not self._asking or not self._failures)
            if self._failures and not self._answers:
                raise self._refusal()

    def _refusal(self) -> EndpointError:
        return EndpointError(
            f"{self._endpoint} failed {self._failures} of {self._rows} rows after {self._answers} answers; "
            f"{self._allowed} failures are allowed; the last reason is {self._reason!r}",
            hint="look at the endpoint's log, then run again: finished work is kept (or raise max_failed_share)",
        )


def step_budget(url: str, endpoint: EndpointSettings, rows: int, done: Iterable[UnitResult]) -> FailureBudget:
    """The budget of a step that asks for ``rows``, of which earlier runs have ``done`` some units."""
    budget = FailureBudget(url, rows, endpoint.max_failed_share, endpoint.patience)
    for result in done:
        budget.resume(*endpoint_rows(result))
    return budget

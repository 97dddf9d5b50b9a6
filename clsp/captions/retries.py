"""When a request is tried again: after a wait with jitter, and only while retries are few among all requests.

Without a budget a sick endpoint is asked ``attempts`` times as much as a well one, just when it can bear least.
"""

from dataclasses import dataclass

from clsp.captions.answers import Fault
from clsp.config.captions import EndpointSettings
from clsp.hashing import unit_interval

_ALWAYS = 64  # retries that even a short run may make


@dataclass
class RetryBudget:
    """Allows ``share`` retries a request, and some more at the start."""

    share: float
    _left: float = _ALWAYS

    def asked(self) -> None:
        """A request is made for the first time."""
        self._left += self.share

    def take(self) -> bool:
        """Whether one more retry is allowed; it then counts."""
        if self._left < 1:
            return False
        self._left -= 1
        return True


def wait_seconds(settings: EndpointSettings, request: str, attempt: int, fault: Fault) -> float:
    """Seconds before the next try: doubling from ``backoff_seconds`` with jitter, or longer if the endpoint asks."""
    backoff = settings.backoff_seconds * 2 ** (attempt - 1) * (0.5 + unit_interval("jitter", request, attempt))
    return float(min(max(backoff, fault.wait_seconds), settings.max_wait_seconds))

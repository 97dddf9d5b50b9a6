"""Whether a canary does as well as the version that serves: what is looked at, and the sentence that says why not.

Both are asked the same things side by side, so that a slow hour of the cluster is no fault of the canary; errors of
real calls are read from the servers' own counters.
"""

import re
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clsp.config.cluster import ReleaseWork
from clsp.errors import EndpointError
from serving.client import EmbeddingClient, Retries

_REQUESTS = re.compile(r"^clsp_serving_requests_total\{(.*)\} (\S+)$", re.MULTILINE)
_FAULTS = ('outcome="error"', 'outcome="internal"')
ONE_TRY = Retries(attempts=1)


@dataclass
class Seen:
    """Of one side: calls of ours that failed, seconds of those that did not, and the counters of its own calls."""

    failed: int = 0
    seconds: list[float] = field(default_factory=list)
    calls: float = 0.0
    faults: float = 0.0
    drift: float = 0.0

    @property
    def error_ratio(self) -> float:
        """Share of failures among our calls and those that the server counted."""
        ours = self.failed + len(self.seconds)
        return max(self.failed / ours if ours else 0.0, self.faults / self.calls if self.calls else 0.0)

    @property
    def latency(self) -> float:
        """Median seconds of a call; 0 when none was answered."""
        return statistics.median(self.seconds) if self.seconds else 0.0


def look(seen: Seen, client: EmbeddingClient, ask: Callable[[EmbeddingClient], float]) -> None:
    """One more call: ``ask`` gives how far the answer was from what it should be, or raises ``EndpointError``."""
    started = time.monotonic()
    try:
        seen.drift = max(seen.drift, ask(client))
        seen.seconds.append(time.monotonic() - started)
        seen.calls, seen.faults = count_calls(client.read_metrics())
    except EndpointError:
        seen.failed += 1


def count_calls(metrics: str) -> tuple[float, float]:
    """All requests that a server's metrics count, and those that it failed by its own fault."""
    rows = [(labels, float(value)) for labels, value in _REQUESTS.findall(metrics)]
    return sum(value for _, value in rows), sum(value for labels, value in rows if any(f in labels for f in _FAULTS))


def what_is_wrong(canary: Seen, stable: Seen, limits: ReleaseWork, *, over: bool) -> str:
    """Why the canary must go, '' while nothing speaks against it; only when the watch is ``over`` few calls count."""
    if canary.drift > limits.most_drift:
        return f"its vectors differ from the model's own by {canary.drift:.2g}"
    calls = canary.failed + len(canary.seconds)
    if calls >= limits.least_calls or over:
        if not canary.seconds:
            return f"none of {calls} calls was answered"
        if canary.error_ratio > stable.error_ratio + limits.most_errors:
            return f"{canary.error_ratio:.1%} of its calls fail, {stable.error_ratio:.1%} of the stable version's"
        if stable.latency and canary.latency > limits.latency_ratio * max(stable.latency, limits.least_latency_seconds):
            return f"a call takes {canary.latency:.3f} s, {stable.latency:.3f} s with the stable version"
    return ""

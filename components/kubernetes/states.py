"""What a pod's status means to its owner: did it run, why does it wait, what ended it."""

import time
from collections.abc import Callable, Collection, Iterable

from components.kubernetes.objects import Object

_MOMENT_SECONDS = 10.0


def has_run(pod: Object) -> bool:
    """Whether the pod's containers have been started."""
    return pod.get("status", {}).get("phase") in ("Running", "Succeeded", "Failed")


def has_failed(pod: Object) -> bool:
    """Whether the pod has ended as failed."""
    return bool(pod.get("status", {}).get("phase") == "Failed")


def why_failed(pod: Object) -> str:
    """What ended a pod: the first container that failed, with the last lines of its log; or an eviction."""
    status = pod.get("status", {})
    for container in _containers(pod):
        ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
        if ended and ended.get("exitCode"):
            told = str(ended.get("message", "")).strip()[-500:]
            facts = f"{container['name']} ended with {ended['exitCode']} ({ended.get('reason', 'Error')})"
            return f"{facts}: {told}" if told else facts
    return str(status.get("message") or status.get("reason") or "unknown")


def why_waiting(pod: Object) -> str:
    """Why a pod does not run: not scheduled, or a container that cannot start; '' when it does."""
    status = pod.get("status", {})
    for container in _containers(pod):
        waiting = container.get("state", {}).get("waiting")
        if waiting and waiting.get("reason") not in ("PodInitializing", "ContainerCreating"):
            return f"{container['name']}: {waiting['reason']} {waiting.get('message', '')}".strip()
    for item in status.get("conditions", []):
        if item["type"] == "PodScheduled" and item["status"] == "False":
            return f"not scheduled: {item.get('message', item.get('reason', ''))}"
    return ""


def why_none_runs(pods: Iterable[Object]) -> str:
    """Why no pod of a piece of work runs."""
    reasons = sorted({reason for pod in pods if (reason := why_waiting(pod))})
    return "; ".join(reasons) or "no pod was made"


def is_queued(job: Object) -> bool:
    """Whether a queue holds the Job, PyTorchJob or TrainJob back, or has taken its pods away again."""
    spec = job["spec"]
    return bool(spec.get("suspend") or spec.get("runPolicy", {}).get("suspend"))


class Idleness:
    """How long work that may run has had no pod that runs: what a queue takes to let it in does not count."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()

    def seconds(self, job: Object, pods: Iterable[Object]) -> float:
        """Seconds until now, by what the job and its pods look like now."""
        if is_queued(job) or any(map(has_run, pods)):
            self._since = self._clock()
        return self._clock() - self._since


class Ending:
    """Whether the last pod ended a moment ago: what owns them is about to say so, unless it waits with its next try."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: float | None = None

    def __call__(self, pods: Collection[Object]) -> bool:
        """Asked of the pods as they are now."""
        if not pods or not all(pod.get("status", {}).get("phase") in ("Succeeded", "Failed") for pod in pods):
            self._since = None
            return False
        now = self._clock()
        self._since = now if self._since is None else self._since
        return now - self._since < _MOMENT_SECONDS


class Admission:
    """How long work may have run: what it waits in a queue, at first or again, does not count, as with a Job's own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = clock()

    def seconds(self, job: Object) -> float:
        """Seconds until now since no queue holds the job back."""
        if is_queued(job):
            self._since = self._clock()
        return self._clock() - self._since


def restarts(pod: Object) -> int:
    """How often the pod's containers were started again."""
    return sum(container.get("restartCount", 0) for container in _containers(pod))


def _containers(pod: Object) -> list[Object]:
    status = pod.get("status", {})
    return [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]

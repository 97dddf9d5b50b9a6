"""The step that has its work done by pods: start the Job or adopt the running one, report the whole, clean up."""

import math
from dataclasses import dataclass

import orjson

from clsp.config.cluster import ClusterSettings
from clsp.errors import ClspError, EndpointError, from_document
from clsp.logs import get_logger
from clsp.progress import Progress
from clsp.storage import ObjectStore
from clsp.storage.ledger import Ledger
from clsp.storage.steps import step_key
from components.captioning.job import CLIENT, CaptionJob, indexed_job
from components.captioning.work import Work
from components.kubernetes.cancelling import cancelling
from components.kubernetes.client import Cluster
from components.kubernetes.objects import JOB, POD, Object, Ref, condition, selector_of, work_name
from components.kubernetes.states import Admission, Ending, Idleness, has_failed, why_failed, why_none_runs

log = get_logger(__name__)
_GONE_SECONDS = 180.0


def complete_on(
    cluster: Cluster,
    settings: ClusterSettings,
    work: Work,
    store: ObjectStore,
    ledger: Ledger,
    tick_seconds: float = 10.0,
) -> None:
    """Have the units that are not done done by pods; raises a worker's own error, or what the cluster says."""
    names = {name for name, _ in work.plan(store)}
    key = step_key(work.recipe, work.parents)
    job = CaptionJob(work_name(work.recipe.step, store.uri, key), key, store.uri, work, settings)
    ref = Ref(JOB, job.name)
    if not names <= ledger.finished():
        with cancelling(lambda: cluster.delete(ref)):
            _start(cluster, ref, job)
            _follow(cluster, ref, job, _Tally(names, ledger), tick_seconds)
    cluster.delete(ref)


def _start(cluster: Cluster, ref: Ref, job: CaptionJob) -> None:
    """Adopt the Job of an earlier try of this step while it runs; make a new one otherwise."""
    found, wanted = cluster.get(ref), indexed_job(job)
    if found and "deletionTimestamp" not in found["metadata"] and not _ended(found) and _same(found, wanted):
        log.info("job_adopted", job=job.name)
        return
    cluster.delete(ref, wait_seconds=_GONE_SECONDS)
    cluster.apply(wanted)
    log.info("job_submitted", job=job.name, workers=job.settings.workers)


@dataclass(frozen=True)
class _Tally:
    """How many of the work's units are done, whoever did them."""

    names: set[str]
    ledger: Ledger

    def count(self) -> int:
        return len(self.names & self.ledger.finished())


def _follow(cluster: Cluster, ref: Ref, job: CaptionJob, tally: _Tally, tick: float) -> None:
    idleness, admission, last = Idleness(), Admission(), ""
    with Progress(job.step, len(tally.names), "units") as progress:
        progress.resume(tally.count())
        for pods in cluster.observe(POD, selector_of(job.labels), math.inf, tick, Ending()):
            last = next((why_failed(pod) for pod in pods if has_failed(pod)), last)
            progress.advance(tally.count() - progress.done)
            found = cluster.get(ref)
            if found is None:
                raise EndpointError(f"{ref} was deleted", hint="somebody cancelled it; run again to go on")
            if condition(found, "Complete"):
                return
            if failed := condition(found, "Failed"):
                raise _failure(job, failed, cluster.find(POD, selector_of(job.labels)), last)
            if idleness.seconds(found, pods) > job.settings.pending_seconds:
                raise _stuck(job, pods)
            if admission.seconds(found) > job.settings.timeout_seconds + _GONE_SECONDS:
                break
    raise EndpointError(f"{ref} did not end in time", hint=f"raise cluster.{job.step}.timeout_seconds")


def _failure(job: CaptionJob, failed: Object, pods: list[Object], last: str) -> ClspError:
    """Why the Job failed: ``pods`` as they are now, which may be later than those of the turn that saw it fail."""
    last = next((why_failed(pod) for pod in pods if has_failed(pod)), last)
    return _reason(pods) or EndpointError(
        f"{job.name}: {failed.get('message', failed.get('reason', 'failed'))}; the last worker: {last}",
        hint="finished units are kept: run again when the cause is mended",
    )


def _reason(pods: list[Object]) -> ClspError | None:
    """The error that a worker left as its last words."""
    for pod in filter(has_failed, pods):
        for status in pod["status"].get("containerStatuses", []):
            words = status.get("state", {}).get("terminated", {}).get("message", "")
            if status["name"] == CLIENT and words.startswith("{"):
                try:
                    return from_document(orjson.loads(words))
                except (orjson.JSONDecodeError, KeyError):
                    continue  # the tail of a log
    return None


def _same(found: Object, wanted: Object) -> bool:
    """Whether a running Job does what this step wants: the same commands of the same images."""

    def commands(job: Object) -> list[tuple[str, list[str]]]:
        spec = job["spec"]["template"]["spec"]
        return [(part["image"], part["command"]) for part in [*spec["containers"], *spec.get("initContainers", [])]]

    return commands(found) == commands(wanted)


def _ended(job: Object) -> bool:
    return any(condition(job, kind) for kind in ("Complete", "Failed", "FailureTarget"))


def _stuck(job: CaptionJob, pods: list[Object]) -> ClspError:
    return EndpointError(
        f"{job.name} has no running worker after {job.settings.pending_seconds} s: {why_none_runs(pods)}",
        hint="check cluster.pools, cluster.images and the quota; `clsp doctor` looks at all three",
    )

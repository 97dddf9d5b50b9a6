"""A stage trained by pods: submit its order or adopt the job that runs it, follow it to its end, take what it left."""

import math
import secrets
from dataclasses import dataclass, field

from clsp.config import TrainSettings
from clsp.config.cluster import ClusterSettings
from clsp.errors import ClspError, TrainingError
from clsp.logs import get_logger
from clsp.storage import ObjectStore
from components.kubernetes.cancelling import cancelling
from components.kubernetes.client import Cluster
from components.kubernetes.logs import LogTail
from components.kubernetes.objects import POD, Object, Ref, owned, selector_of, work_name
from components.kubernetes.states import Admission, Ending, Idleness, has_failed, why_failed, why_none_runs
from components.train.cluster.backends import BACKENDS, Backend
from components.train.cluster.submission import ATTEMPT, ORDER, Submission, companions
from components.train.exchange import Exchange
from components.train.order import Order, save_order
from components.train.training import Launcher, Trained

log = get_logger(__name__)
_GONE_SECONDS = 180.0


def train_on(cluster: Cluster, settings: ClusterSettings, tick_seconds: float = 5.0) -> Launcher:
    """A launcher of orders on this cluster; progress is looked for every ``tick_seconds``."""

    def launcher(store: ObjectStore, order: Order) -> Trained:
        return _Training(cluster, settings, store, order, tick_seconds).run()

    return launcher


@dataclass
class _Training:
    cluster: Cluster
    settings: ClusterSettings
    store: ObjectStore
    order: Order
    tick_seconds: float
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def backend(self) -> Backend:
        return BACKENDS[self.settings.train.backend]

    @property
    def name(self) -> str:
        return work_name(f"train-{self.order.stage}", self.store.uri, self.order.checkpoints)

    def run(self) -> Trained:
        """Raises the workers' own error, or TrainingError with what the cluster says."""
        job = Ref(self.backend.kind, self.name)
        trained = Exchange(self.store, self.order.checkpoints, "").trained() or self._train(job)
        self.cluster.delete(job)
        return trained

    def _train(self, job: Ref) -> Trained:
        key = save_order(self.store, self.order)
        with cancelling(lambda: self.cluster.delete(job)):
            return self._follow(job, self._adopted(job, key) or self._submit(job, key))

    def _adopted(self, ref: Ref, order: str) -> Submission | None:
        """The submission of a job that an earlier try of this step left running on the very same order."""
        job = self.cluster.get(ref)
        if job is None or "deletionTimestamp" in job["metadata"]:
            return None
        told = job["metadata"].get("annotations", {})
        if told.get(ORDER) != order or self.backend.failure(job):
            return None
        log.info("training_adopted", job=self.name, attempt=told[ATTEMPT])
        return self._submission(told[ATTEMPT], order)

    def _submit(self, ref: Ref, order: str) -> Submission:
        self.cluster.delete(ref, wait_seconds=_GONE_SECONDS)
        submission = self._submission(secrets.token_hex(4), order)
        before, beside = self.backend.before(submission), companions(submission)
        for item in before:
            self.cluster.apply(item)
        job = self.cluster.apply(self.backend.render(submission))
        for item in (*before, *beside):
            self.cluster.apply(owned(item, job))
        log.info("training_submitted", job=self.name, kind=ref.kind.name, attempt=submission.attempt)
        return submission

    def _submission(self, attempt: str, order: str) -> Submission:
        training = TrainSettings.model_validate(self.order.settings)
        return Submission(self.name, attempt, self.store.uri, order, training, self.settings)

    def _follow(self, ref: Ref, submission: Submission) -> Trained:
        exchange = Exchange(self.store, self.order.checkpoints, submission.attempt)
        tail = LogTail(self.cluster, self.backend.container)
        work, idleness, admission = self.settings.train, Idleness(), Admission()
        for pods in self.cluster.observe(POD, selector_of(submission.labels), math.inf, self.tick_seconds, Ending()):
            tail.show(pods)
            self.failed.update({pod["metadata"]["uid"]: why_failed(pod) for pod in pods if has_failed(pod)})
            job = self.cluster.get(ref)
            if job is None:
                raise TrainingError(f"{ref} was deleted", hint="somebody cancelled it; run again to go on")
            if self.backend.has_succeeded(job):
                return self._result(exchange)
            if reason := self.backend.failure(job) or self._too_many():
                raise exchange.error() or self._lost(reason)
            if idleness.seconds(job, pods) > work.pending_seconds:
                raise self._stuck(pods)
            if admission.seconds(job) > work.timeout_seconds + _GONE_SECONDS:
                break
        raise TrainingError(f"{ref} did not end in time", hint="raise cluster.train.timeout_seconds")

    def _result(self, exchange: Exchange) -> Trained:
        if trained := exchange.trained():
            return trained
        raise TrainingError(f"{self.name} ended without a model", hint="look at the log of its workers")

    def _too_many(self) -> str:
        failed, allowed = len(self.failed), self.settings.train.retries
        return f"{failed} worker pods failed, {allowed} may" if failed > allowed else ""

    def _lost(self, reason: str) -> ClspError:
        last = f"; the last worker: {list(self.failed.values())[-1]}" if self.failed else ""
        return TrainingError(
            f"{self.name}: {reason}{last}",
            hint="out of memory shows as 137; run again to go on from the last checkpoint",
        )

    def _stuck(self, pods: list[Object]) -> ClspError:
        return TrainingError(
            f"{self.name} has no running worker after {self.settings.train.pending_seconds} s: {why_none_runs(pods)}",
            hint="check cluster.pools, cluster.images and the quota; `clsp doctor` looks at all three",
        )

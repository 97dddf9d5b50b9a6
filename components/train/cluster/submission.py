"""One attempt at a stage, and what every backend's objects have in common: workers, the rendezvous, the budget."""

from dataclasses import dataclass

from clsp.config import TrainSettings
from clsp.config.cluster import ClusterSettings, Pool, TrainingWork
from components.kubernetes.objects import (
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    SERVICE,
    Kind,
    Object,
    labels_of,
    new_object,
)
from components.kubernetes.pods import METRICS_ENVIRONMENT, METRICS_PORTS, container, image_of, pod_spec, queue_labels

WORKERS, RENDEZVOUS = "train-worker", "train-rendezvous"
ATTEMPT = "clsp/attempt"
ORDER = "clsp/order"
PORT = 29400
_LEAVING_SECONDS = 30  # beyond the time that workers get to save and leave


@dataclass(frozen=True)
class Submission:
    """An order in the store that is to be trained, with the settings of its stages."""

    name: str
    attempt: str
    store: str
    order: str
    training: TrainSettings
    cluster: ClusterSettings

    @property
    def work(self) -> TrainingWork:
        """How training runs on this cluster."""
        return self.cluster.train

    @property
    def pool(self) -> Pool:
        """Where the workers run."""
        return self.cluster.pools[self.work.pool]

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the worker pods."""
        return labels_of(WORKERS, self.name)

    @property
    def annotations(self) -> dict[str, str]:
        """What a restarted step reads from a running job."""
        return {ATTEMPT: self.attempt, ORDER: self.order}

    @property
    def rendezvous_host(self) -> str:
        """Name of the rendezvous Service, resolved in the pods' own namespace."""
        return f"{self.name}-rdzv"

    @property
    def processes_per_node(self) -> int:
        """One a GPU; without GPUs the stage's processes are spread over the nodes."""
        return self.work.size.gpus or max(1, self.training.processes // self.work.max_nodes)


def job_object(submission: Submission, kind: Kind, spec: Object) -> Object:
    """The job of a backend, in the pool's queue."""
    job = new_object(kind, submission.name, {**submission.labels, **queue_labels(submission.pool)}, spec=spec)
    return {**job, "metadata": {**job["metadata"], "annotations": submission.annotations}}


def worker_template(submission: Submission, container_name: str) -> Object:
    """The pod of a worker, alike on every node."""
    work, pool, cluster = submission.work, submission.pool, submission.cluster
    worker = container(
        container_name,
        image_of(cluster.images, "trainer"),
        worker_command(submission),
        work.size,
        pool=pool,
        cluster=cluster,
        environment={**METRICS_ENVIRONMENT, **work.environment},
        secrets=(cluster.store_secret,),
        ports=list(METRICS_PORTS),
    )
    spec = pod_spec(
        {container_name: work.size},
        [worker],
        pool=pool,
        cluster=cluster,
        restartPolicy="Never",
        terminationGracePeriodSeconds=submission.training.grace_seconds + _LEAVING_SECONDS,
    )
    annotations = {**submission.annotations, "sidecar.istio.io/inject": "false"}
    return {"metadata": {"labels": submission.labels, "annotations": annotations}, "spec": spec}


def worker_command(submission: Submission) -> list[str]:
    """What a worker pod runs; it calls ``torchrun --nnodes=MIN:MAX``."""
    work = submission.work
    options = {
        "store": submission.store,
        "order": submission.order,
        "attempt": submission.attempt,
        "nodes": f"{work.min_nodes}:{work.max_nodes}",
        "rendezvous": f"{submission.rendezvous_host}:{PORT}",
        "processes": submission.processes_per_node,
        "late-seconds": work.late_seconds,
        "wait-seconds": work.join_seconds,
    }
    return ["python3", "-m", "components.train.worker", *(f"--{key}={value}" for key, value in options.items())]


def companions(submission: Submission) -> tuple[Object, ...]:
    """What a job needs beside it: the rendezvous with its Service, and a budget for voluntary disruptions."""
    budget = {"minAvailable": submission.work.min_nodes, "selector": {"matchLabels": submission.labels}}
    return (
        *_rendezvous(submission),
        new_object(DISRUPTION_BUDGET, submission.name, submission.labels, spec=budget),
    )


def _rendezvous(submission: Submission) -> tuple[Object, Object]:
    name, cluster, size = submission.rendezvous_host, submission.cluster, submission.work.rendezvous
    labels = labels_of(RENDEZVOUS, submission.name)
    anywhere = cluster.pools.get("cpu", Pool())
    holder = container(
        "store",
        image_of(cluster.images, "trainer"),
        ["python3", "-m", "clsp.training.rendezvous", f"--port={PORT}"],
        size,
        pool=anywhere,
        cluster=cluster,
        ports=[{"name": "rendezvous", "containerPort": PORT}],
        readinessProbe={"tcpSocket": {"port": PORT}, "periodSeconds": 2},
    )
    spec = pod_spec({"store": size}, [holder], pool=anywhere, cluster=cluster, terminationGracePeriodSeconds=10)
    stays = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
    service = {
        "clusterIP": "None",
        "selector": labels,
        "ports": [{"name": "rendezvous", "port": PORT, "targetPort": PORT}],
    }
    deployment = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels, "annotations": stays}, "spec": spec},
    }
    return (
        new_object(SERVICE, name, labels, spec=service),
        new_object(DEPLOYMENT, name, labels, spec=deployment),
    )

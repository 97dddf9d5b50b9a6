"""The Indexed Job of a step's work: in each pod our client, and beside it the engine that it asks, if it brings one."""

from dataclasses import dataclass
from typing import Any

from clsp.config.cluster import AnnotationWork, ClusterSettings, Pool
from components.captioning.work import Work
from components.kubernetes.objects import JOB, Object, labels_of, new_object
from components.kubernetes.pods import (
    METRICS_ENVIRONMENT,
    METRICS_PORTS,
    SCRATCH,
    container,
    image_of,
    pod_spec,
    queue_labels,
)

ENGINE_PORT = 8000
CLIENT, ENGINE = "client", "engine"
KEPT_SECONDS = 86_400  # a finished Job stays to be looked at, unless its step removes it
# Settings and data that no other try makes better end the whole Job: exit codes of ConfigError and DataError.
_FINAL = [2, 3]
_PROBE_SECONDS = 2


@dataclass(frozen=True)
class CaptionJob:
    """A step's work over pods. ``key`` names the work; ``store`` is where its ledger is."""

    name: str
    key: str
    store: str
    work: Work
    cluster: ClusterSettings

    @property
    def step(self) -> str:
        """The step whose work it is."""
        return self.work.recipe.step

    @property
    def settings(self) -> AnnotationWork:
        """How this step's work runs on the cluster."""
        chosen: AnnotationWork = getattr(self.cluster, self.step)
        return chosen

    @property
    def pool(self) -> Pool:
        """Where the pods run."""
        return self.cluster.pools[self.settings.pool]

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the Job and its pods."""
        return labels_of(self.step, self.name)

    @property
    def brings_engine(self) -> bool:
        """Whether an engine runs in each pod; else the endpoint of the step's settings is asked."""
        return bool(self.settings.engine_command or self.settings.engine.gpus)


def indexed_job(job: CaptionJob) -> Object:
    """The Job; index i of n does every n-th unit, and a disrupted pod costs no try."""
    workers = job.settings.workers
    spec = {
        "completions": workers,
        "parallelism": workers,
        "completionMode": "Indexed",
        "backoffLimitPerIndex": job.settings.retries,
        "maxFailedIndexes": workers // 2,  # one bad node is not the end; a bad engine is
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                {
                    "action": "FailJob",
                    "onExitCodes": {"containerName": CLIENT, "operator": "In", "values": _FINAL},
                },
            ]
        },
        "activeDeadlineSeconds": job.settings.timeout_seconds,
        "ttlSecondsAfterFinished": KEPT_SECONDS,
        "template": {"metadata": {"labels": job.labels}, "spec": _pod(job)},
    }
    return new_object(JOB, job.name, {**job.labels, **queue_labels(job.pool)}, spec=spec)


def _pod(job: CaptionJob) -> Object:
    sizes = {CLIENT: job.settings.size}
    more: dict[str, Any] = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 30}
    if job.brings_engine:
        sizes[ENGINE] = job.settings.engine
        more["initContainers"] = [_engine(job)]
    return pod_spec(sizes, [_client(job)], pool=job.pool, cluster=job.cluster, **more)


def _client(job: CaptionJob) -> Object:
    engine = f"http://127.0.0.1:{ENGINE_PORT}/v1" if job.brings_engine else ""
    options = {
        "step": job.step, "store": job.store, "key": job.key, "settings": job.work.settings,
        "workers": job.settings.workers, "engine": engine,
    }  # fmt: skip
    return container(
        CLIENT,
        image_of(job.cluster.images, "step"),
        [
            "python3", "-m", "components.captioning.worker",
            *(f"--{name}={value}" for name, value in options.items()),
            *(f"--parent={name}" for name in job.work.parents),
        ],
        job.settings.size,
        pool=job.pool,
        cluster=job.cluster,
        environment=METRICS_ENVIRONMENT,
        secrets=(job.cluster.store_secret, job.cluster.captioner_secret),
        ports=list(METRICS_PORTS),
    )  # fmt: skip


def _engine(job: CaptionJob) -> Object:
    """A native sidecar: up before the client starts, stopped after it has ended."""
    settings = job.settings
    health = {"httpGet": {"path": "/health", "port": ENGINE_PORT}, "periodSeconds": _PROBE_SECONDS, "timeoutSeconds": 5}
    caches = {"HF_HOME": f"{SCRATCH}/huggingface", "VLLM_CACHE_ROOT": f"{SCRATCH}/vllm", "XDG_CACHE_HOME": SCRATCH}
    return container(
        ENGINE,
        job.cluster.images.engine,
        engine_command(job),
        settings.engine,
        pool=job.pool,
        cluster=job.cluster,
        environment=caches,
        restartPolicy="Always",
        ports=[{"name": "engine", "containerPort": ENGINE_PORT}],
        startupProbe={**health, "failureThreshold": max(1, settings.engine_start_seconds // _PROBE_SECONDS)},
        livenessProbe={**health, "periodSeconds": 30, "failureThreshold": 4},
    )


def engine_command(job: CaptionJob) -> list[str]:
    """vLLM's server of the step's model, or the command that is set instead."""
    if job.settings.engine_command:
        return list(job.settings.engine_command)
    endpoint = job.work.endpoint
    revision = [f"--revision={endpoint.revision}"] if endpoint.revision else []
    address = ["--host=0.0.0.0", f"--port={ENGINE_PORT}"]  # the kubelet's probes come from outside the pod
    return ["vllm", "serve", endpoint.model, *address, *revision, *job.settings.engine_arguments]

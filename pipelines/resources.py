"""What each step asks of a cluster: its pool, size, patience, secrets and hardening, in one table.

Steps are small CPU pods: GPU work runs in objects that they start (``clsp.config.cluster``), and in the step itself
only where that is disabled. KFP's cache is off, since it cannot see that an object behind a URI changed; a step finds
its finished work by the content of its inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kfp import kubernetes
from kfp.dsl.structures import ResourceSpec

from clsp.captions.connection import CAPTIONER_KEY, VERIFIER_KEY
from clsp.config import ClusterSettings, Pool
from clsp.config.cluster import PodSize
from components.runner import RUN_ID_VARIABLE
from serving.probe import KEY_VARIABLE

DEFAULTS = ClusterSettings()  # pools (A100 for GPU work), names of secrets and of the release
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
INSTANCE_LABEL = "app.kubernetes.io/instance"
LABELS = {
    "app.kubernetes.io/name": "clsp-platform",
    INSTANCE_LABEL: DEFAULTS.release,
    "app.kubernetes.io/component": "steps",
    "app.kubernetes.io/part-of": "clsp-platform",
}
STORE_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION")
API_KEYS_SECRET = "clsp-api-keys"  # noqa: S105 - a name; releases put their own there
ENDPOINT_KEYS = (CAPTIONER_KEY, VERIFIER_KEY)
USER = 65532  # the user of our images
SCRATCH = "/tmp"  # noqa: S108 - the only folder a step writes to; a volume of its own, so the root can be read-only
RUN_ID_FIELD = "metadata.labels['pipeline/runid']"
HOUR = 3600


@dataclass(frozen=True)
class StepResources:
    """One step's pod. ``scratch`` is the size of its temporary folder; ``retries`` follow a failed pod."""

    size: PodSize
    pool: str = "cpu"
    scratch: str = "10Gi"
    timeout_seconds: int = 24 * HOUR
    retries: int = 2
    retry_after: str = "30s"
    retry_factor: float = 2.0
    retry_at_most: str = "600s"
    endpoints: bool = False  # whether it calls a captioner or a verifier
    servers: bool = False  # whether it calls embedding servers


def _size(memory: str, memory_limit: str, shm: str = "64Mi") -> PodSize:
    return PodSize(cpu="250m", cpu_limit="4", memory=memory, memory_limit=memory_limit, shm=shm)


STEP_RESOURCES: dict[str, StepResources] = {
    "ingest": StepResources(_size("512Mi", "8Gi"), scratch="50Gi"),
    "annotate": StepResources(_size("512Mi", "4Gi"), timeout_seconds=14 * 24 * HOUR, endpoints=True),
    "verify": StepResources(_size("512Mi", "4Gi"), timeout_seconds=14 * 24 * HOUR, endpoints=True),
    "validate": StepResources(_size("1Gi", "16Gi")),
    "features": StepResources(_size("1Gi", "16Gi"), scratch="20Gi"),
    "train_stage1": StepResources(_size("2Gi", "16Gi", "2Gi"), scratch="50Gi", timeout_seconds=30 * 24 * HOUR),
    "train_stage2": StepResources(_size("2Gi", "16Gi", "2Gi"), scratch="50Gi", timeout_seconds=7 * 24 * HOUR),
    "evaluate": StepResources(_size("2Gi", "16Gi", "1Gi"), scratch="20Gi"),
    "register": StepResources(_size("512Mi", "4Gi"), scratch="20Gi", timeout_seconds=HOUR),
    "serve": StepResources(_size("1Gi", "8Gi"), timeout_seconds=2 * HOUR, servers=True),
}


def equip(task: Any, step: str) -> Any:
    """Give a KFP task what its step asks for; returns the task. ``pipelines.local`` uses none of it."""
    resources = STEP_RESOURCES[step]
    parts: tuple[Callable[[Any, StepResources], None], ...] = (_sized, _patient, _placed, _hardened, _with_secrets)
    for part in parts:
        part(task, resources)
    return task


def _sized(task: Any, resources: StepResources) -> None:
    size, pool = resources.size, DEFAULTS.pools[resources.pool]
    # In one piece: each of KFP's own setters reads the source of the whole call stack, a second for the four flows.
    task.container_spec.resources = ResourceSpec(
        cpu_request=size.cpu, cpu_limit=size.cpu_limit, memory_request=size.memory, memory_limit=size.memory_limit
    )
    if size.gpus:
        task.set_accelerator_type(pool.gpu_resource).set_accelerator_limit(size.gpus)
    kubernetes.empty_dir_mount(task, "shm", "/dev/shm", medium="Memory", size_limit=size.shm)  # noqa: S108
    kubernetes.empty_dir_mount(task, "scratch", SCRATCH, size_limit=resources.scratch)


def _patient(task: Any, resources: StepResources) -> None:
    task.set_caching_options(enable_caching=False)
    task.set_retry(resources.retries, resources.retry_after, resources.retry_factor, resources.retry_at_most)
    kubernetes.set_timeout(task, resources.timeout_seconds)


def _placed(task: Any, resources: StepResources) -> None:
    pool = DEFAULTS.pools[resources.pool]
    if pool.node_labels:
        kubernetes.add_node_affinity(task, _expressions(pool))
    for item in pool.tolerations:
        kubernetes.add_toleration(task, item.key, item.operator, item.value or None, item.effect or None)
    labels = {**LABELS, **({QUEUE_LABEL: pool.queue} if pool.queue else {})}
    for key, value in labels.items():
        kubernetes.add_pod_label(task, key, value)


def _expressions(pool: Pool) -> list[dict[str, Any]]:
    return [{"key": key, "operator": "In", "values": list(values)} for key, values in sorted(pool.node_labels.items())]


def _hardened(task: Any, _: StepResources) -> None:
    kubernetes.set_security_context(task, run_as_user=USER, run_as_group=USER, run_as_non_root=True)
    kubernetes.use_field_path_as_env(task, RUN_ID_VARIABLE, RUN_ID_FIELD)


def _with_secrets(task: Any, resources: StepResources) -> None:
    """Every key is optional: a workload identity needs none, and a missing one is named by the step that needs it."""
    _secret(task, DEFAULTS.store_secret, {key: key for key in STORE_KEYS})
    if resources.endpoints:
        _secret(task, DEFAULTS.captioner_secret, {key: key for key in ENDPOINT_KEYS})
    if resources.servers:
        _secret(task, API_KEYS_SECRET, {"probe": KEY_VARIABLE})


def _secret(task: Any, name: str, keys: dict[str, str]) -> None:
    kubernetes.use_secret_as_env(task, name, keys, optional=True)

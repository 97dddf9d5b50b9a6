"""What all our pods share: "restricted" security, scratch space, resources of a pool, credentials by reference."""

from collections.abc import Mapping, Sequence
from typing import Any

from clsp.config.cluster import ClusterImages, ClusterSettings, PodSize, Pool
from clsp.metrics import PORT_VARIABLE
from components.kubernetes.objects import Object

SCRATCH = "/tmp"  # noqa: S108 - the one writable folder of a pod with a read-only root
USER = 65532
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
METRICS_PORT = 9090  # the chart's PodMonitor and NetworkPolicy know it too
METRICS_ENVIRONMENT = {PORT_VARIABLE: str(METRICS_PORT)}
METRICS_PORTS = ({"name": "metrics", "containerPort": METRICS_PORT},)
_SHARED_MEMORY = "/dev/shm"  # noqa: S108


def container(
    name: str,
    image: str,
    command: Sequence[str],
    size: PodSize,
    *,
    pool: Pool,
    cluster: ClusterSettings,
    environment: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    **more: Any,
) -> Object:
    """A container that runs ``command``; ``secrets`` become its environment, and may be absent but for the first."""
    variables = {**_COMMON, **cluster.environment, **(environment or {})}
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": cluster.images.pull_policy,
        "command": list(command),
        "env": [{"name": key, "value": value} for key, value in variables.items()] + [_POD_IP],
        "envFrom": [
            {"secretRef": {"name": secret, "optional": number > 0}} for number, secret in enumerate(secrets) if secret
        ],
        "resources": resources(size, pool),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "scratch", "mountPath": SCRATCH},
            {"name": f"{name}-shm", "mountPath": _SHARED_MEMORY},
            *(
                {"name": f"mount-{number}", "mountPath": mount.path, "readOnly": mount.read_only}
                for number, mount in enumerate(cluster.mounts)
            ),
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",  # so that a failed pod says why without its log
        **more,
    }


# The user has no name in foreign images, and some libraries ask for one.
_COMMON = {"HOME": SCRATCH, "TMPDIR": SCRATCH, "USER": "clsp", "CLSP_LOG_FORMAT": "json"}
_POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def resources(size: PodSize, pool: Pool) -> Object:
    """Requests and limits; GPUs, where there are any, are both."""
    gpus = {pool.gpu_resource: str(size.gpus)} if size.gpus and pool.gpu_resource else {}
    return {
        "requests": {"cpu": size.cpu, "memory": size.memory, **gpus},
        "limits": {"cpu": size.cpu_limit, "memory": size.memory_limit, **gpus},
    }


def pod_spec(
    sizes: Mapping[str, PodSize], containers: Sequence[Object], *, pool: Pool, cluster: ClusterSettings, **more: Any
) -> Object:
    """A pod of ``containers`` in ``pool``; ``sizes`` by container (init containers too) give each its /dev/shm."""
    shared = [
        {"name": f"{name}-shm", "emptyDir": {"medium": "Memory", "sizeLimit": size.shm}} for name, size in sizes.items()
    ]
    return {
        **placement(pool),
        **({"serviceAccountName": cluster.service_account} if cluster.service_account else {}),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "imagePullSecrets": [{"name": name} for name in cluster.images.pull_secrets],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": list(containers),
        "volumes": [{"name": "scratch", "emptyDir": {}}, *shared, *_mounted(cluster)],
        **more,
    }


def _mounted(cluster: ClusterSettings) -> list[Object]:
    return [
        {"name": f"mount-{number}", "persistentVolumeClaim": {"claimName": mount.claim, "readOnly": mount.read_only}}
        if mount.claim
        else {"name": f"mount-{number}", "hostPath": {"path": mount.host_path, "type": "Directory"}}
        for number, mount in enumerate(cluster.mounts)
    ]


def placement(pool: Pool) -> Object:
    """Which nodes, and with what priority."""
    wanted = [{"key": key, "operator": "In", "values": list(values)} for key, values in pool.node_labels.items()]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": wanted}]}}
    tolerations = [item.model_dump() for item in pool.tolerations]
    return {
        **({"affinity": {"nodeAffinity": required}} if wanted else {}),
        **({"priorityClassName": pool.priority_class} if pool.priority_class else {}),
        "tolerations": [{key: value for key, value in item.items() if value} for item in tolerations],
    }


def queue_labels(pool: Pool) -> dict[str, str]:
    """The label that puts a workload into the pool's queue."""
    return {QUEUE_LABEL: pool.queue} if pool.queue else {}


def image_of(images: ClusterImages, role: str) -> str:
    """The image of a role: the one that is set, or that of this release."""
    from components.images import EMBEDDER_IMAGE, STEP_IMAGE, TRAINER_IMAGE

    defaults = {"step": STEP_IMAGE, "trainer": TRAINER_IMAGE, "embedder": EMBEDDER_IMAGE}
    return str(getattr(images, role)) or defaults[role]

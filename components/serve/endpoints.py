"""The InferenceServices of a version, one a tower from one image, as plain objects (KServe, Standard mode)."""

from dataclasses import dataclass

from clsp.config import ServeSettings
from clsp.config.cluster import ClusterSettings, ServingWork
from clsp.hashing import digest_of
from components.kubernetes.objects import DEPLOYMENT, Kind, Object, Ref, labels_of, new_object
from components.kubernetes.pods import container, image_of, pod_spec

INFERENCE_SERVICE = Kind("serving.kserve.io/v1beta1", "InferenceService")
TOWERS = ("speech", "text")
VERSION, REVISION = "clsp/version", "clsp/revision"
HTTP_PORT, GRPC_PORT = 8080, 8081
_PROBE_SECONDS = 5
_START_SECONDS = 1  # between looks at a server that starts: it is asked for work as soon as it can take some
_CONTAINER = "kserve-container"
_KEYS, _KEYS_FOLDER = "keys", "/etc/clsp-api-keys"  # the chart's servers have them there too


@dataclass(frozen=True)
class Endpoint:
    """The endpoint of one tower; ``uri`` names the version that it serves, ``sha256`` the bytes of it."""

    tower: str
    uri: str
    sha256: str
    settings: ServeSettings
    cluster: ClusterSettings

    @property
    def name(self) -> str:
        """Name of the InferenceService, the same for every version."""
        return f"{self.cluster.release}-{self.tower}"

    @property
    def ref(self) -> Ref:
        """The InferenceService."""
        return Ref(INFERENCE_SERVICE, self.name)

    @property
    def deployment(self) -> Ref:
        """What KServe makes of it."""
        return Ref(DEPLOYMENT, f"{self.name}-predictor")

    @property
    def work(self) -> ServingWork:
        """How endpoints run on this cluster."""
        return self.cluster.serve

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the InferenceService and its pods."""
        return labels_of(self.tower, self.cluster.release)


def inference_service(endpoint: Endpoint) -> Object:
    """The InferenceService; a new version's pods take over once they are ready, and not before."""
    work, predictor = endpoint.work, _predictor(endpoint)
    marks = {VERSION: endpoint.sha256, REVISION: digest_of(predictor)[:16]}
    scaler = "hpa" if work.max_replicas > work.replicas else "none"
    annotations = {"serving.kserve.io/deploymentMode": "Standard", "serving.kserve.io/autoscalerClass": scaler, **marks}
    spec = {"predictor": {**predictor, "annotations": marks}}
    item = new_object(INFERENCE_SERVICE, endpoint.name, endpoint.labels, spec=spec)
    return {**item, "metadata": {**item["metadata"], "annotations": annotations}}


def revision(metadata: Object) -> str:
    """Which rendering of an endpoint an object was made from; '' for one that is not ours."""
    return str(metadata.get("annotations", {}).get(REVISION, ""))


def as_applied(item: Object) -> Object:
    """What can be applied again of an object that a cluster gave."""
    kept = {name: item["metadata"][name] for name in ("name", "labels", "annotations") if name in item["metadata"]}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": kept, "spec": item["spec"]}


def _predictor(endpoint: Endpoint) -> Object:
    work = endpoint.work
    pod = pod_spec(
        {_CONTAINER: work.size},
        [_server(endpoint)],
        pool=endpoint.cluster.pools[work.pool],
        cluster=endpoint.cluster,
        terminationGracePeriodSeconds=work.drain_seconds + endpoint.settings.grace_seconds + 15,
    )
    return {
        "minReplicas": work.replicas,
        "maxReplicas": max(work.replicas, work.max_replicas),
        "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "labels": endpoint.labels,
        **_with_keys(pod, endpoint.cluster.api_keys_secret),
    }


def _with_keys(pod: Object, secret: str) -> Object:
    """The pod with the hashes of the allowed keys as a file that follows the Secret; the probe's key stays out."""
    if not secret:
        return pod
    (server,) = pod["containers"]
    mount = {"name": _KEYS, "mountPath": _KEYS_FOLDER, "readOnly": True}
    volume = {"name": _KEYS, "secret": {"secretName": secret, "items": [{"key": _KEYS, "path": _KEYS}]}}
    mounted = {**server, "volumeMounts": [*server["volumeMounts"], mount]}
    return {**pod, "containers": [mounted], "volumes": [*pod["volumes"], volume]}


def _server(endpoint: Endpoint) -> Object:
    """The server fetches its model itself, with the store's credentials, and verifies it by hash."""
    work = endpoint.work
    changes = {
        "host": "0.0.0.0",  # noqa: S104 - a pod is reached from outside itself
        "port": HTTP_PORT,
        "grpc_port": GRPC_PORT,
        "drain_seconds": work.drain_seconds,
        "name": endpoint.settings.name or f"clsp-{endpoint.tower}",
    }
    if endpoint.cluster.api_keys_secret:
        changes["api_keys_file"] = f"{_KEYS_FOLDER}/{_KEYS}"
    settings = endpoint.settings.model_copy(update=changes)
    ready = {"httpGet": {"path": "/v2/health/ready", "port": HTTP_PORT}}
    live = {"httpGet": {"path": "/v2/health/live", "port": HTTP_PORT}, "periodSeconds": 10, "failureThreshold": 6}
    return container(
        _CONTAINER,
        image_of(endpoint.cluster.images, "embedder"),
        ["python3", "-m", "serving", endpoint.uri, "--settings", settings.model_dump_json()],
        work.size,
        pool=endpoint.cluster.pools[work.pool],
        cluster=endpoint.cluster,
        secrets=(endpoint.cluster.store_secret,),
        ports=[
            {"name": "http", "containerPort": HTTP_PORT, "protocol": "TCP"},
            {"name": "grpc", "containerPort": GRPC_PORT, "protocol": "TCP"},
        ],
        startupProbe={**ready, "periodSeconds": _START_SECONDS, "failureThreshold": work.start_seconds},
        readinessProbe={**ready, "periodSeconds": _PROBE_SECONDS, "failureThreshold": 2},
        livenessProbe={**live, "timeoutSeconds": 5},
    )

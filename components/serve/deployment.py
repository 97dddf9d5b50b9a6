"""The serve step on a cluster: both endpoints of a version roll out and answer, or the version before stays.

A version counts as deployed when all replicas are its own and each endpoint gives the model's own vectors.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from clsp.config import ServeSettings
from clsp.config.cluster import ClusterSettings
from clsp.errors import ClusterError, EndpointError
from clsp.logs import get_logger
from components.kubernetes.cancelling import cancelling
from components.kubernetes.client import Cluster
from components.kubernetes.objects import POD, Object, Ref, condition
from components.kubernetes.states import restarts, why_failed, why_none_runs
from components.serve.endpoints import TOWERS, Endpoint, as_applied, inference_service, revision
from components.serve.probe import Probe
from serving.client import EmbeddingClient
from serving.probe import KEY_VARIABLE

log = get_logger(__name__)
Reach = Callable[[str], AbstractContextManager[str]]  # name of a Service → its URL, while in the block
_TICK_SECONDS = 2.0
_RESTARTS = 2  # a server that ended this often does not come up
_SERVICE_LABEL = "serving.kserve.io/inferenceservice"


def deploy(
    cluster: Cluster,
    cluster_settings: ClusterSettings,
    settings: ServeSettings,
    uri: str,
    probe: Probe,
    reach: Reach | None = None,
) -> None:
    """Apply both endpoints and wait until they answer as ``probe`` expects.

    ``EndpointError`` or ``ClusterError`` says why they did not; the specification before is then in place again.
    """
    endpoints = [Endpoint(tower, uri, probe.sha256, settings, cluster_settings) for tower in TOWERS]
    before = {endpoint.ref: cluster.get(endpoint.ref) for endpoint in endpoints}
    deadline = time.monotonic() + cluster_settings.serve.timeout_seconds
    with cancelling(lambda: roll_back(cluster, before)):
        wanted = [revision(cluster.apply(inference_service(endpoint))["metadata"]) for endpoint in endpoints]
        for endpoint, mark in zip(endpoints, wanted, strict=True):
            wait_rolled_out(cluster, endpoint, mark, deadline)
            wait_answer(endpoint, probe, reach or _inside(cluster), cluster_settings.serve.answer_seconds)
    log.info("version_deployed", version=probe.version, endpoints=[endpoint.name for endpoint in endpoints])


def wait_rolled_out(
    cluster: Cluster, endpoint: Endpoint, wanted: str, deadline: float, deployed: Ref | None = None
) -> None:
    """Return once all replicas of the endpoint's (or another) Deployment are available and of the revision ``wanted``.

    ``EndpointError`` says why they are not by ``deadline``, or as soon as a pod ended too often.
    """
    pods: list[Object] = []
    selector = f"{_SERVICE_LABEL}={endpoint.name}"
    for pods in cluster.observe(POD, selector, max(1.0, deadline - time.monotonic()), _TICK_SECONDS):
        service, deployment = cluster.get(endpoint.ref), cluster.get(deployed or endpoint.deployment)
        if service and deployment and condition(service, "Ready") and is_rolled_out(deployment, wanted):
            return
        for pod in pods:
            if revision(pod["metadata"]) == wanted and restarts(pod) >= _RESTARTS:
                raise EndpointError(
                    f"{endpoint.name} does not come up: {why_failed(pod)}", hint="see the log of its pods"
                )
    raise EndpointError(
        f"{endpoint.name} was not ready in time: {why_none_runs(pods)}",
        hint="look at its pods, cluster.serve.size and cluster.serve.start_seconds",
    )


def is_rolled_out(deployment: Object, wanted: str) -> bool:
    """Whether all replicas of a Deployment are available and of the ``wanted`` revision."""
    status, replicas = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return seen and counts == [replicas] * 3 and revision(deployment["spec"]["template"]["metadata"]) == wanted


def wait_answer(endpoint: Endpoint, probe: Probe, reach: Reach, seconds: float) -> None:
    """A Service may route to a pod, new or gone, a moment later than its Deployment says: each try reaches it anew."""
    deadline = time.monotonic() + seconds
    key = os.environ.get(KEY_VARIABLE, "")
    while True:
        try:
            with reach(endpoint.deployment.name) as url, EmbeddingClient(url, api_key=key) as client:
                return _ask(endpoint, probe, client)
        except (EndpointError, ClusterError):
            if time.monotonic() > deadline:
                raise
        time.sleep(1.0)


def _ask(endpoint: Endpoint, probe: Probe, client: EmbeddingClient) -> None:
    served = client.describe()["sha256"]
    if served != probe.sha256:
        raise EndpointError(f"{endpoint.name} serves {served[:12]}, not {probe.sha256[:12]}", hint="run again")
    (probe.check_speech if endpoint.tower == "speech" else probe.check_text)(client)


def _inside(cluster: Cluster) -> Reach:
    @contextmanager
    def reach(service: str) -> Iterator[str]:
        yield f"http://{service}.{cluster.namespace}.svc"

    return reach


def roll_back(cluster: Cluster, before: Mapping[Ref, Object | None]) -> None:
    """Put back what was there ``before``; what was not goes."""
    for ref, item in before.items():
        if item is None:
            cluster.delete(ref)
        else:
            cluster.apply(as_applied(item))
        log.warning("endpoint_rolled_back", endpoint=ref.name, revision=revision(item["metadata"]) if item else "")

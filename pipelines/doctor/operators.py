"""The operators that the platform assumes: their APIs, their versions, and whether their controllers run.

The API's own discovery is open to every account; definitions and controllers are looked at where the account may.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from components.kubernetes.requests import ForbiddenError
from components.serve.canary import knows_canary
from pipelines.doctor.records import Finding, Release, View, fails, skipped, warns, works

Version = tuple[int, int]
OLDEST_KSERVE: Version = (0, 17)
CANARY_KSERVE: Version = (0, 20)
_VERSION = re.compile(r":v?(\d+)\.(\d+)")


@dataclass(frozen=True)
class Operator:
    """One operator: its API group, a resource of it, its controller's Deployment, and how it comes into a cluster."""

    part: str
    group: str
    resource: str
    controller: str
    install: str


KSERVE = Operator(
    "KServe", "serving.kserve.io", "inferenceservices", "kserve-controller-manager", "install KServe 0.20 or newer"
)
TRAINING = Operator(
    "training-operator",
    "kubeflow.org",
    "pytorchjobs",
    "training-operator",
    "install training-operator 1.9, or set cluster.train.backend to trainjob",
)
TRAINER = Operator(
    "Kubeflow Trainer",
    "trainer.kubeflow.org",
    "trainjobs",
    "kubeflow-trainer-controller-manager",
    "install Kubeflow Trainer 2, or set cluster.train.backend to pytorchjob",
)
KUEUE = Operator(
    "Kueue",
    "kueue.x-k8s.io",
    "localqueues",
    "kueue-controller-manager",
    "install Kueue, or leave the pools' queues empty",
)
KEDA = Operator(
    "KEDA", "keda.sh", "scaledobjects", "keda-operator", "install KEDA, or turn serving.autoscaling.keda off"
)
PROMETHEUS = Operator(
    "Prometheus operator",
    "monitoring.coreos.com",
    "podmonitors",
    "prometheus-operator",
    "install the Prometheus operator, or turn monitoring.monitors and monitoring.rules off",
)


def check_operators(view: View, release: Release) -> list[Finding]:
    """Every operator: works, is missing though it is used, or is not used."""
    return [finding for operator, used in _used(release) for finding in _look(view, release, operator, used)]


def _used(release: Release) -> list[tuple[Operator, bool]]:
    trains = release.cluster.enabled
    backend = release.cluster.train.backend
    queued = release.uses.kueue or any(pool.queue for pool in release.cluster.pools.values())
    return [
        (KSERVE, release.cluster.enabled or release.uses.kserve),
        (TRAINING, trains and backend == "pytorchjob"),
        (TRAINER, trains and backend == "trainjob"),
        (KUEUE, queued),
        (KEDA, release.uses.keda),
        (PROMETHEUS, release.uses.prometheus_operator),
    ]


def _look(view: View, release: Release, operator: Operator, used: bool) -> Iterator[Finding]:
    part = operator.part
    version_path = served_at(view, operator)
    if not version_path:
        missing = f"the cluster does not serve {operator.resource}.{operator.group}"
        yield fails(part, missing, operator.install) if used else skipped(part, "not used, and not installed")
        return
    deployment = _controller(view, operator)
    version = version_of(deployment)
    told = f"{version_path}{f', version {version[0]}.{version[1]}' if version else ''}"
    if deployment is not None and not deployment.get("status", {}).get("availableReplicas"):
        yield fails(
            part,
            f"{told}, but its controller is not available",
            f"kubectl describe deployment -A --selector=app.kubernetes.io/name={operator.controller} says why",
        )
    elif operator is KSERVE and used:
        yield _judge_kserve(view, release, told, version)
    else:
        yield works(part, told)


def served_at(view: View, operator: Operator) -> str:
    """The group and version that the resource is served at; empty when it is not."""
    group = view.read(f"/apis/{operator.group}")
    versions = [version["groupVersion"] for version in group["versions"]] if group else []
    for version in versions:
        served = view.read(f"/apis/{version}") or {"resources": []}
        if operator.resource in {item["name"] for item in served["resources"]}:
            return str(version)
    return ""


def _judge_kserve(view: View, release: Release, told: str, version: Version | None) -> Finding:
    canary = knows_canary(_definition(view, KSERVE))
    if version and version < OLDEST_KSERVE:
        return fails(
            KSERVE.part,
            f"{told} is too old: it has no Standard deployment mode",
            "upgrade KServe to 0.20 (0.17 serves without a canary)",
        )
    too_old = canary is False or (canary is None and version is not None and version < CANARY_KSERVE)
    if release.uses.canary and too_old:
        return fails(
            KSERVE.part,
            f"{told} ignores a canary",
            "upgrade KServe to 0.20, or set serving.canary.enabled to false",
        )
    if canary is None and version is None:
        return warns(
            KSERVE.part,
            f"{told}; its version cannot be read by this account",
            "set rbac.clusterRead to true, or run clsp doctor with an administrator's context",
        )
    return works(KSERVE.part, f"{told}{', with canary' if canary else ', without canary'}")


def version_of(deployment: Any) -> Version | None:
    """Major and minor of a controller, from the tag of its image; None when the tag is no version."""
    if deployment is None:
        return None
    images = [container["image"] for container in deployment["spec"]["template"]["spec"]["containers"]]
    found = next(filter(None, map(_VERSION.search, images)), None)
    return (int(found[1]), int(found[2])) if found else None


def _controller(view: View, operator: Operator) -> Any | None:
    try:
        found = view.read("/apis/apps/v1/deployments", fieldSelector=f"metadata.name={operator.controller}")
    except ForbiddenError:
        return None
    return next(iter(found["items"]), None) if found else None


def _definition(view: View, operator: Operator) -> Any | None:
    path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{operator.resource}.{operator.group}"
    try:
        return view.read(path)
    except ForbiddenError:
        return None

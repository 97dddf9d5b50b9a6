"""Upstream's manifests, read with kustomize, and the few changes that a small machine needs."""

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.waiting import until

Object = dict[str, Any]


def kustomized(kubectl: Kubectl, folder: Path) -> list[Object]:
    """The objects that a kustomization describes."""
    text = kubectl("kustomize", str(folder))
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]


def without_groups(objects: Iterable[Object], *groups: str) -> list[Object]:
    """Without the objects of API groups that are not installed."""
    return [one for one in objects if one["apiVersion"].split("/")[0] not in groups]


def deployments_changed(objects: Iterable[Object], change: Callable[[Object], None]) -> list[Object]:
    """With the change made to the pod spec of each Deployment."""
    changed = copy.deepcopy(list(objects))
    for one in changed:
        if one["kind"] == "Deployment":
            change(one["spec"]["template"]["spec"])
    return changed


def quick(pod: Object) -> None:
    """Ready as soon as it is: no initial delays, no CPU limit, images that are on the node already."""
    for container in pod["containers"]:
        container["imagePullPolicy"] = "IfNotPresent"
        container.get("resources", {}).get("limits", {}).pop("cpu", None)
        if probe := container.get("readinessProbe"):
            probe.update(initialDelaySeconds=0, periodSeconds=1, failureThreshold=30)
        if probe := container.get("livenessProbe"):
            probe.update(initialDelaySeconds=60, failureThreshold=10, timeoutSeconds=10)


def install(kubectl: Kubectl, objects: Iterable[Object]) -> None:
    """Apply namespaces and definitions first, and the rest when the API server knows the new kinds."""
    first: list[Object] = []
    rest: list[Object] = []
    definitions = []
    for one in objects:
        if one["kind"] == "CustomResourceDefinition":
            definitions.append(f"crd/{one['metadata']['name']}")
        (first if one["kind"] in ("Namespace", "CustomResourceDefinition") else rest).append(one)
    if first:
        kubectl.apply(first)
    if definitions:
        # kubectl wait fails on a definition so young that it has no conditions yet
        until("the definitions are established", lambda: kubectl.wait("condition=Established", *definitions), 240)
    if rest:
        kubectl.apply(rest)


def webhook_answers(kubectl: Kubectl, example: Object) -> None:
    """Until the operator's webhook takes an example, which is then there.

    A Deployment is Available before its Service is routed and before its certificate is known to the API server.
    """
    until(f"the webhook takes a {example['kind']}", lambda: kubectl.apply([example]), 120)

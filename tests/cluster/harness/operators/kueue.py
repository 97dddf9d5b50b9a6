"""Kueue, which holds work back until its quota is free: jobs of Kubernetes and of the training-operator.

Upstream's own configuration leaves the training-operator's jobs out; a platform that queues them turns that on.
"""

from typing import Any

import yaml

from tests.cluster.harness.images import Image, single
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.manifests import (
    Object,
    deployments_changed,
    install,
    kustomized,
    quick,
    webhook_answers,
)
from tests.cluster.tools.build import sources
from tests.cluster.tools.programs import KUEUE

NAMESPACE = "kueue-system"
IMAGE = f"registry.k8s.io/kueue/kueue:{KUEUE}"
KIND = "localqueues.kueue.x-k8s.io"
SETTINGS = "controller_manager_config.yaml"
FRAMEWORKS = ["batch/job", "kubeflow.org/pytorchjob"]


def images() -> list[Image]:
    return [single("kueue-manager", "/manager", IMAGE)]


def small(pod: Object) -> None:
    """The released image's name instead of the development one, and little of the machine."""
    quick(pod)
    (manager,) = pod["containers"]
    manager["image"] = IMAGE
    manager["resources"] = {"requests": {"cpu": "20m", "memory": "100Mi"}, "limits": {"memory": "512Mi"}}


def queuing(one: Object) -> Object:
    """Its configuration with the kinds of jobs that the platform makes."""
    if one["kind"] != "ConfigMap" or SETTINGS not in one.get("data", {}):
        return one
    settings: dict[str, Any] = yaml.safe_load(one["data"][SETTINGS])
    settings["integrations"]["frameworks"] = FRAMEWORKS
    return {**one, "data": {SETTINGS: yaml.safe_dump(settings)}}


def apply(kubectl: Kubectl) -> None:
    """Install it; it signs its webhook's certificate itself."""
    objects = deployments_changed(kustomized(kubectl, sources("kueue") / "config" / "default"), small)
    install(kubectl, [queuing(one) for one in objects])


def wait(kubectl: Kubectl) -> None:
    """Until its webhooks take an object."""
    kubectl.within(NAMESPACE).wait("condition=Available", "deployment/kueue-controller-manager")
    flavor = {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": "ResourceFlavor", "metadata": {"name": "any-node"}}
    webhook_answers(kubectl, flavor)

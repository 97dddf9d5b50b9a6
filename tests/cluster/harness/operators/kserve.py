"""KServe's controller in Standard mode: Deployments, Services and autoscalers, neither Knative nor an ingress.

cert-manager is not there: the cluster's own authority signs the webhook's certificate.
"""

import base64
import json
from typing import Any

import yaml

from tests.cluster.harness.certificates import Authority
from tests.cluster.harness.images import Image, single
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.manifests import (
    Object,
    deployments_changed,
    install,
    kustomized,
    quick,
    without_groups,
)
from tests.cluster.tools.build import sources

NAMESPACE = "kserve"
IMAGE = "docker.io/kserve/kserve-controller:latest"
WEBHOOK = "kserve-webhook-server-service"
SECRET = "kserve-webhook-server-cert"
SETTINGS: dict[str, dict[str, Any]] = {
    "deploy": {"defaultDeploymentMode": "Standard"},
    "ingress": {"disableIngressCreation": True},
}


def image() -> Image:
    return single("kserve-manager", "/manager", IMAGE)


def without_proxy(pod: Object) -> None:
    """The controller alone, without the proxy before its metrics."""
    pod["containers"] = [one for one in pod["containers"] if one["name"] == "manager"]
    quick(pod)
    pod["containers"][0]["resources"] = {"requests": {"cpu": "50m", "memory": "100Mi"}, "limits": {"memory": "500Mi"}}


def trusting(one: Object, bundle: str) -> Object:
    """The webhook configuration or definition with the authority that its caller shall trust."""
    if one["kind"] in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        for webhook in one["webhooks"]:
            webhook["clientConfig"]["caBundle"] = bundle
    conversion: Any = one.get("spec", {}).get("conversion") if one["kind"] == "CustomResourceDefinition" else None
    if conversion and conversion["strategy"] == "Webhook":
        conversion["webhook"]["clientConfig"]["caBundle"] = bundle
    return one


def settings(upstream: Object) -> Object:
    """Upstream's configuration with ours in it."""
    data = dict(upstream["data"])
    for key, values in SETTINGS.items():
        data[key] = json.dumps({**json.loads(data[key]), **values})
    return {**upstream, "metadata": {"name": "inferenceservice-config", "namespace": NAMESPACE}, "data": data}


def certificate(authority: Authority) -> Object:
    hosts = (f"{WEBHOOK}.{NAMESPACE}.svc", f"{WEBHOOK}.{NAMESPACE}.svc.cluster.local")
    pair = authority.issue(WEBHOOK, hosts=hosts)
    files = {"tls.crt": pair.certificate, "tls.key": pair.key}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": SECRET, "namespace": NAMESPACE},
        "data": {name: base64.b64encode(path.read_bytes()).decode() for name, path in files.items()},
    }


def apply(kubectl: Kubectl, authority: Authority) -> None:
    """Install it."""
    upstream = sources("kserve") / "config"
    bundle = base64.b64encode(authority.pair.certificate.read_bytes()).decode()
    objects = without_groups(kustomized(kubectl, upstream / "default"), "cert-manager.io")
    objects = [trusting(one, bundle) for one in deployments_changed(objects, without_proxy)]
    config = settings(yaml.safe_load((upstream / "configmap" / "inferenceservice.yaml").read_text(encoding="utf-8")))
    namespace: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    install(kubectl, [namespace, config, certificate(authority), *objects])


def wait(kubectl: Kubectl) -> None:
    """Until its controller is there."""
    kubectl.within(NAMESPACE).wait("condition=Available", "deployment/kserve-controller-manager")

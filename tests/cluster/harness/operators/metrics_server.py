"""metrics-server: what autoscalers and `kubectl top` ask for the use of pods."""

from tests.cluster.harness.images import Image, single
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.manifests import Object, deployments_changed, install, kustomized, quick
from tests.cluster.tools.build import sources

IMAGE = "gcr.io/k8s-staging-metrics-server/metrics-server:master"


def image() -> Image:
    return single("metrics-server", "/metrics-server", IMAGE)


def often(pod: Object) -> None:
    """Look every ten seconds, the least it allows; the kubelets' certificates are of the tests' own authority."""
    quick(pod)
    container = pod["containers"][0]
    kept = [one for one in container["args"] if not one.startswith("--metric-resolution")]
    container["args"] = [*kept, "--metric-resolution=10s", "--kubelet-request-timeout=5s", "--kubelet-insecure-tls"]
    container["resources"] = {"requests": {"cpu": "20m", "memory": "50Mi"}}


def apply(kubectl: Kubectl) -> None:
    """Install it."""
    install(kubectl, deployments_changed(kustomized(kubectl, sources("metrics-server") / "manifests" / "base"), often))


def wait(kubectl: Kubectl) -> None:
    """Until the API server finds it."""
    kubectl.within("kube-system").wait("condition=Available", "deployment/metrics-server")
    kubectl.wait("condition=Available", "apiservice/v1beta1.metrics.k8s.io")

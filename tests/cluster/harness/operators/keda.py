"""KEDA, which scales Deployments by what Prometheus says: its operator and its metrics server.

Upstream's "minimal" set of manifests: all but the webhook that validates ScaledObjects, which decides nothing here.
"""

from tests.cluster.harness.images import Image, single
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.manifests import Object, deployments_changed, install, kustomized, quick
from tests.cluster.tools.build import sources
from tests.cluster.tools.programs import KEDA

NAMESPACE = "keda"
OPERATOR, ADAPTER = f"ghcr.io/kedacore/keda:{KEDA}", f"ghcr.io/kedacore/keda-metrics-apiserver:{KEDA}"
KIND = "scaledobjects.keda.sh"
NO_WEBHOOK = "--enable-webhook-patching=false"


def images() -> list[Image]:
    return [single("keda", "/keda", OPERATOR), single("keda-adapter", "/keda-adapter", ADAPTER)]


def small(pod: Object) -> None:
    """The released images' names instead of the development ones, and little of the machine."""
    quick(pod)
    pod["securityContext"]["runAsUser"] = 65532
    (container,) = pod["containers"]
    container["image"] = ADAPTER if "metrics-apiserver" in container["name"] else OPERATOR
    container["resources"] = {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
    if container["image"] == OPERATOR:
        container["args"] = [*container["args"], NO_WEBHOOK]


def apply(kubectl: Kubectl) -> None:
    """Install it; it signs its certificates itself."""
    install(kubectl, deployments_changed(kustomized(kubectl, sources("keda") / "config" / "minimal"), small))


def wait(kubectl: Kubectl) -> None:
    """Until the API server finds its metrics."""
    kubectl.within(NAMESPACE).wait(
        "condition=Available", "deployment/keda-operator", "deployment/keda-metrics-apiserver"
    )
    kubectl.wait("condition=Available", "apiservice/v1beta1.external.metrics.k8s.io")

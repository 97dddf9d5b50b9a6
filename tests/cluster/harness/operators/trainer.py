"""Kubeflow Trainer v2 (TrainJob) and the JobSet that it makes its pods with, as their upstream manifests have them.

Trainer's own overlay fetches JobSet's manifests from the network; its comment says to leave that line out where JobSet
is there, which it is: from the module that the manager is built from.
"""

import shutil
import tempfile
from pathlib import Path

from tests.cluster.harness.images import Image, single
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.manifests import Object, deployments_changed, install, kustomized, quick
from tests.cluster.tools.build import sources
from tests.cluster.tools.programs import JOBSET, TRAINER

KIND = "trainjobs.trainer.kubeflow.org"
_IMAGES = {
    "kubeflow-trainer-controller-manager": f"ghcr.io/kubeflow/trainer/trainer-controller-manager:{TRAINER}",
    "jobset-controller-manager": f"registry.k8s.io/jobset/jobset:{JOBSET}",
}
_FETCHED = "../../third-party/jobset"


def images() -> list[Image]:
    trainer, jobset = _IMAGES.values()
    return [single("trainer-controller-manager", "/manager", trainer), single("jobset", "/manager", jobset)]


def small(pod: Object) -> None:
    """Ready at once, little of the machine."""
    quick(pod)
    (manager,) = pod["containers"]
    manager["command"] = ["/manager"]
    manager["resources"] = {"requests": {"cpu": "20m", "memory": "100Mi"}, "limits": {"memory": "512Mi"}}


def apply(kubectl: Kubectl) -> None:
    """Install both; they sign their webhooks' certificates themselves."""
    objects = kustomized(kubectl, sources("trainer", "sigs.k8s.io/jobset") / "config" / "default") + _trainer(kubectl)
    install(kubectl, [_named(one) for one in deployments_changed(objects, small)])


def wait(kubectl: Kubectl) -> None:
    """Until both are there."""
    kubectl.within("jobset-system").wait("condition=Available", "deployment/jobset-controller-manager")
    kubectl.within("kubeflow-system").wait("condition=Available", "deployment/kubeflow-trainer-controller-manager")


def _trainer(kubectl: Kubectl) -> list[Object]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(shutil.copytree(sources("trainer") / "manifests", Path(folder) / "manifests"))
        overlay = copy / "overlays" / "manager"
        for path in (overlay, overlay / "kustomization.yaml"):  # modules are read-only
            path.chmod(0o755)
        lines = (overlay / "kustomization.yaml").read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if _FETCHED not in line]
        (overlay / "kustomization.yaml").write_text("\n".join(kept), encoding="utf-8")
        return kustomized(kubectl, overlay)


def _named(one: Object) -> Object:
    """A Deployment with the released image instead of the development one."""
    if one["kind"] == "Deployment":
        (manager,) = one["spec"]["template"]["spec"]["containers"]
        manager["image"] = _IMAGES[one["metadata"]["name"]]
    return one

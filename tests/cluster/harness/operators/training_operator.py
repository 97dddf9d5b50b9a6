"""The Kubeflow training-operator, as upstream's standalone overlay has it, for PyTorchJobs alone.

Its five other kinds are three megabytes of definitions, which cost an API server as much to begin with as the rest.
"""

import yaml

from tests.cluster.harness.images import BUSYBOX_IMAGE, Image, single
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.manifests import Object, deployments_changed, install, kustomized, quick
from tests.cluster.tools.build import sources

NAMESPACE = "kubeflow"
IMAGE = "ghcr.io/kubeflow/training-v1/training-operator:v1-93c5489"
TEMPLATE = "pytorch-init-container"
KIND = "pytorchjobs.kubeflow.org"

# The operator's own template has no security context, so that pods with it are refused where "restricted" is enforced.
INIT_CONTAINER = f"""\
- name: init-pytorch
  image: {BUSYBOX_IMAGE}
  imagePullPolicy: IfNotPresent
  resources: {{limits: {{cpu: 100m, memory: 20Mi}}, requests: {{cpu: 10m, memory: 10Mi}}}}
  securityContext:
    allowPrivilegeEscalation: false
    runAsNonRoot: true
    runAsUser: 65532
    capabilities: {{drop: [ALL]}}
    seccompProfile: {{type: RuntimeDefault}}
  command:
    - sh
    - -c
    - |
      for i in $(seq {{{{.MaxTries}}}}); do
        nslookup -type=a {{{{.MasterAddr}}}} | grep -q ^Name: && exit 0
        sleep 1
      done
      exit 1
"""


def image() -> Image:
    return single("training-operator", "/manager", IMAGE)


def with_template(pod: Object) -> None:
    """Mount the init container's template where the operator looks for it; one kind of job."""
    quick(pod)
    pod["containers"][0]["args"] = ["--enable-scheme=pytorchjob"]
    pod["volumes"].append({"name": "template", "configMap": {"name": TEMPLATE}})
    pod["containers"][0]["volumeMounts"].append({"name": "template", "mountPath": "/etc/config", "readOnly": True})


def apply(kubectl: Kubectl) -> None:
    """Install it; it makes its own webhook certificate."""
    upstream = kustomized(kubectl, sources("training-operator") / "manifests" / "overlays" / "standalone")
    template: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": TEMPLATE, "namespace": NAMESPACE},
        "data": {"initContainer.yaml": yaml.safe_dump(yaml.safe_load(INIT_CONTAINER))},
    }
    kinds = [one for one in upstream if one["kind"] != "CustomResourceDefinition" or one["metadata"]["name"] == KIND]
    install(kubectl, [template, *deployments_changed(kinds, with_template)])


def wait(kubectl: Kubectl) -> None:
    """Until it is there, its webhook's certificate in place."""
    kubectl.within(NAMESPACE).wait("condition=Available", "deployment/training-operator")

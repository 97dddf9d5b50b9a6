"""Prometheus: its server as an image, and the definitions of the objects that its operator reads.

The operator itself is not run: tests start a server of their own beside what it watches (tests/cluster/prometheus.py).
"""

import yaml

from tests.cluster.harness.images import Image, single
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.manifests import Object, install
from tests.cluster.tools.build import sources
from tests.cluster.tools.programs import PROMETHEUS

IMAGE = f"quay.io/prometheus/prometheus:v{PROMETHEUS}"
PROGRAM = "/bin/prometheus"
KIND = "podmonitors.monitoring.coreos.com"
DEFINITIONS = ("podmonitors", "servicemonitors", "prometheusrules")


def images() -> list[Image]:
    return [single("prometheus", PROGRAM, IMAGE)]


def apply(kubectl: Kubectl) -> None:
    """Define monitors and rules, as the operator's installation does."""
    folder = sources("prometheus-operator") / "example" / "prometheus-operator-crd"
    files = [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in DEFINITIONS]
    definitions: list[Object] = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    install(kubectl, definitions)


def wait(kubectl: Kubectl) -> None:
    """Until the definitions are served."""
    kubectl.wait("condition=Established", *(f"crd/{kind}.monitoring.coreos.com" for kind in DEFINITIONS))

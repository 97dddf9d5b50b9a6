"""What a namespace still holds once a release is gone."""

import orjson

from tests.cluster.harness.kubectl import Kubectl

KEPT = {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default", "Secret/clsp-store"}  # Kubernetes' own, and the user's
PASSING = {"Event", "PodMetrics"}


def what_is_left(kubectl: Kubectl) -> set[str]:
    """Every object of the namespace, of whatever kind, that does not pass by itself."""
    kinds = kubectl("api-resources", "--namespaced", "--verbs=list", "-o", "name").split()
    found = kubectl("get", ",".join(kinds), "-o", "json", "--ignore-not-found") or '{"items": []}'
    items = orjson.loads(found)["items"]
    return {f"{item['kind']}/{item['metadata']['name']}" for item in items if item["kind"] not in PASSING}

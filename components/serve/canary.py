"""A version beside the one that serves: KServe's ``spec.canary``, which exists from 0.20 and is ignored before."""

from typing import Any

from clsp.errors import ClusterError
from clsp.hashing import digest_of
from components.kubernetes.client import Cluster
from components.kubernetes.objects import DEPLOYMENT, Object, Ref
from components.serve.endpoints import REVISION, VERSION, Endpoint, as_applied

NAME = "canary"
_CONTAINER = "kserve-container"
_SCALING = ("maxReplicas", "autoScaling", "scaleTarget", "scaleMetric", "scaleMetricType")  # a canary's size is fixed
_DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.serving.kserve.io"


def knows_canary(definition: Any) -> bool | None:
    """Whether an InferenceService definition has ``spec.canary``; None when the definition could not be read."""
    if definition is None:
        return None
    schemas = [version.get("schema", {}).get("openAPIV3Schema", {}) for version in definition["spec"]["versions"]]
    specs = [schema.get("properties", {}).get("spec", {}).get("properties", {}) for schema in schemas]
    return any("canary" in spec for spec in specs)


def refuse_old_kserve(cluster: Cluster) -> None:
    """``ClusterError`` where KServe would ignore a canary, so that nothing is released unwatched."""
    known = knows_canary(cluster.read(_DEFINITION))
    if known is None:
        raise ClusterError("this cluster has no KServe", hint="install KServe 0.20 or later; see clsp doctor")
    if not known:
        raise ClusterError(
            "this cluster's KServe knows no canary: it is older than 0.20",
            hint="upgrade KServe to 0.20, or deploy without a canary: clsp run --from serve",
        )


def successor(stable: Object, endpoint: Endpoint) -> Object:
    """The stable InferenceService, as it would serve the endpoint's version instead of its own.

    ``ClusterError`` for one made of a plain container: KServe gives a canary only to a predictor with a model.
    """
    kept = as_applied(stable)
    predictor = kept["spec"]["predictor"]
    if "model" not in predictor:
        raise ClusterError(
            f"{endpoint.ref} serves a plain container, for which KServe knows no canary",
            hint="install the endpoints with the chart (serving.model.uri), or deploy without a canary: clsp run",
        )
    model = {**predictor["model"], "args": [endpoint.uri, *predictor["model"].get("args", ())[1:]]}
    marks = {VERSION: endpoint.sha256, REVISION: digest_of([model, endpoint.sha256])[:16]}
    changed = {**predictor, "model": model, "annotations": {**predictor.get("annotations", {}), **marks}}
    metadata = {**kept["metadata"], "annotations": {**kept["metadata"].get("annotations", {}), **marks}}
    return {**kept, "metadata": metadata, "spec": {**kept["spec"], "predictor": changed}}


def with_canary(stable: Object, following: Object, percent: int) -> Object:
    """The InferenceService that serves ``stable`` as it is, and its successor to ``percent`` of the calls."""
    kept = as_applied(stable)
    predictor = {name: value for name, value in following["spec"]["predictor"].items() if name not in _SCALING}
    model = {**predictor["model"], "name": _CONTAINER}  # the CRD wants it of a canary, the webhook of no other
    canary = {**predictor, "model": model, "name": NAME, "minReplicas": 1}
    return {**kept, "spec": {**kept["spec"], NAME: [{"trafficPercent": percent, "predictor": canary}]}}


def promoting(with_both: Object, following: Object) -> Object:
    """The successor takes the stable place while the canary still answers, so that nobody waits for it."""
    return {**following, "spec": {**following["spec"], NAME: with_both["spec"][NAME]}}


def canary_deployment(endpoint: Endpoint) -> Ref:
    """What KServe makes of the canary."""
    return Ref(DEPLOYMENT, f"{endpoint.name}-{NAME}-predictor")

"""A version beside the one that serves: KServe's ``spec.canary``, which exists from 0.20 and is ignored before."""

from typing import Any

from clsp.errors import ClusterError
from components.kubernetes.client import Cluster
from components.kubernetes.objects import DEPLOYMENT, Object, Ref
from components.serve.endpoints import Endpoint, as_applied, inference_service

NAME = "canary"
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


def with_canary(stable: Object, endpoint: Endpoint, percent: int) -> Object:
    """The InferenceService that serves ``stable`` as it is and the endpoint's version to ``percent`` of the calls."""
    kept = as_applied(stable)
    predictor = inference_service(endpoint)["spec"]["predictor"]
    canary = {**predictor, "name": NAME, "minReplicas": 1, "maxReplicas": 1}
    return {**kept, "spec": {**kept["spec"], NAME: [{"trafficPercent": percent, "predictor": canary}]}}


def promoting(with_both: Object, endpoint: Endpoint) -> Object:
    """The endpoint's version takes the stable place while the canary still answers, so that nobody waits for it."""
    wanted = inference_service(endpoint)
    return {**wanted, "spec": {**wanted["spec"], NAME: with_both["spec"][NAME]}}


def canary_deployment(endpoint: Endpoint) -> Ref:
    """What KServe makes of the canary."""
    return Ref(DEPLOYMENT, f"{endpoint.name}-{NAME}-predictor")

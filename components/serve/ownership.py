"""Whose a field of an endpoint is: a release changes what Helm made, and gives back all but what it has to keep.

Server-side apply remembers who set each field; what stays ours by accident would make the next ``helm upgrade`` fail.
"""

from clsp.errors import ClusterError
from components.kubernetes.client import FIELD_MANAGER, Cluster
from components.kubernetes.objects import Object, Ref
from components.serve.endpoints import REVISION, VERSION

_MODEL = ("f:spec", "f:predictor", "f:model")


def give_back(cluster: Cluster, ref: Ref) -> None:
    """Keep the marks of the version, and the model's arguments where no one else sets them; nothing if all is ours."""
    item = cluster.get(ref)
    if item is None:
        raise ClusterError(f"{ref} was deleted", hint="install the endpoints again with the chart")
    others = _others(item)
    if others:
        cluster.apply(_kept(item, arguments=not any("f:args" in fields for fields in others)))


def _others(item: Object) -> list[Object]:
    """What other managers set of the model."""
    found = []
    for entry in item["metadata"].get("managedFields", ()):
        fields = entry.get("fieldsV1", {}) if entry["manager"] != FIELD_MANAGER else {}
        for name in _MODEL:
            fields = fields.get(name, {})
        found.append(fields)
    return [fields for fields in found if fields]


def _kept(item: Object, *, arguments: bool) -> Object:
    predictor = item["spec"]["predictor"]
    kept = {"annotations": _marks(predictor)}
    if arguments:
        kept["model"] = {"args": predictor["model"]["args"]}
    metadata = {"name": item["metadata"]["name"], "annotations": _marks(item["metadata"])}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata, "spec": {"predictor": kept}}


def _marks(holder: Object) -> Object:
    found = holder.get("annotations", {})
    return {name: found[name] for name in (VERSION, REVISION) if name in found}

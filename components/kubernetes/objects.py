"""Plain Kubernetes objects: what names them, whom they belong to, and which part of them says how they are.

Objects are dictionaries as the API takes them, made by pure functions; nothing here talks to a cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clsp.hashing import digest_of

Object = dict[str, Any]
MANAGED_BY = "clsp-platform"


@dataclass(frozen=True)
class Kind:
    """A kind of object, such as ``Kind("batch/v1", "Job")``."""

    api_version: str
    name: str


@dataclass(frozen=True)
class Ref:
    """One object of the release's namespace."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.name} {self.name}"


CONFIG_MAP = Kind("v1", "ConfigMap")
POD = Kind("v1", "Pod")
SERVICE = Kind("v1", "Service")
JOB = Kind("batch/v1", "Job")
DEPLOYMENT = Kind("apps/v1", "Deployment")
DISRUPTION_BUDGET = Kind("policy/v1", "PodDisruptionBudget")


def ref_of(item: Object) -> Ref:
    """What names ``item``."""
    return Ref(Kind(item["apiVersion"], item["kind"]), item["metadata"]["name"])


def new_object(kind: Kind, name: str, labels: Mapping[str, str], **parts: Any) -> Object:
    """An object of ours; ``parts`` are its other top-level fields."""
    metadata = {"name": name, "labels": dict(labels)}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": metadata, **parts}


def labels_of(component: str, name: str) -> dict[str, str]:
    """The recommended labels of an object and its pods; ``name`` tells this instance from its sisters."""
    return {
        "app.kubernetes.io/name": MANAGED_BY,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": MANAGED_BY,
    }


def selector_of(labels: Mapping[str, str]) -> str:
    """A selector of the objects that carry all ``labels``."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def work_name(step: str, store: str, key: str) -> str:
    """The name of a step's work: the same for the same step of the same store, so that a restarted step finds it."""
    return f"clsp-{step.replace('_', '-')}-{digest_of([store, step, key])[:12]}"


def owned(item: Object, owner: Object) -> Object:
    """``item``, to be removed by the cluster when ``owner`` is."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
    return {**item, "metadata": {**item["metadata"], "ownerReferences": [reference]}}


def condition(item: Object, kind: str) -> Object | None:
    """The status condition of this type when it holds, else None."""
    for candidate in item.get("status", {}).get("conditions", []):
        if candidate["type"] == kind and candidate["status"] == "True":
            found: Object = candidate
            return found
    return None

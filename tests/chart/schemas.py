"""Schemas that rendered objects are held to: Kubernetes' own from a wheel, CRDs from the modules that define them."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = tuple(f"1.{minor}" for minor in range(29, 36))
_CRDS = {
    "serving.kserve.io": ("github.com/kserve/kserve@v0.20.0", "config/crd/full"),
    "kueue.x-k8s.io": ("sigs.k8s.io/kueue@v0.19.2", "config/components/crd/bases"),
    "monitoring.coreos.com": (
        "github.com/prometheus-operator/prometheus-operator@v0.85.0",
        "example/prometheus-operator-crd",
    ),
}
Object = dict[str, Any]


def problems(item: Object, version: str) -> str:
    """What a Kubernetes of this minor would refuse; '' when nothing. Objects of CRDs are held to their CRD."""
    group, _, of_crd = item["apiVersion"].partition("/")
    if group in _CRDS:
        errors = jsonschema.Draft202012Validator(_schema(group, of_crd, item["kind"])).iter_errors(item)
        return "; ".join(f"{item['kind']} {error.json_path}: {error.message[:300]}" for error in errors)
    try:
        kubernetes_validate.validate(item, version, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return f"{item['kind']} {item['metadata']['name']} for {version}: {error}"
    return ""


@cache
def _schema(group: str, version: str, kind: str) -> Object:
    """The schema of a CRD's version, closed as the API server's strict validation closes it."""
    module, folder = _CRDS[group]
    text = (_module(module) / folder / f"{group}_{kind.lower()}s.yaml").read_text()
    versions = yaml.load(text, Loader=yaml.CSafeLoader)["spec"]["versions"]
    (found,) = (one["schema"]["openAPIV3Schema"] for one in versions if one["name"] == version)
    closed: Object = _closed(found)
    return closed


def _closed(schema: Any) -> Any:
    """Unknown fields are refused wherever the CRD would prune them; metadata is Kubernetes' own."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    closed = {key: item for key, item in schema.items() if key not in ("format", "description")}
    if isinstance(schema.get("properties"), dict):
        closed["properties"] = {name: _closed(item) for name, item in schema["properties"].items()}
        if "additionalProperties" not in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
            closed["additionalProperties"] = False
        if schema["properties"].get("metadata") == {"type": "object"}:
            closed["properties"]["metadata"] = {"type": "object"}
    for key in ("items", "additionalProperties", "anyOf", "allOf", "oneOf"):
        if key in schema:
            closed[key] = _closed(schema[key]) if key in ("items", "additionalProperties") else schema[key]
    return closed


def _module(name: str) -> Path:
    """Folder of a Go module, downloaded once and checked against the public checksum database."""
    result = subprocess.run(
        ["go", "mod", "download", "-json", name], capture_output=True, text=True, check=True, cwd="/"
    )
    return Path(json.loads(result.stdout)["Dir"])

"""What every object of ours must hold: the schema of its kind where it is a plain one, and "restricted" pods."""

from collections.abc import Iterator

import kubernetes_validate

VERSIONS = ("1.29", "1.35")


def check(item: dict) -> None:
    """Validate a plain object against the schemas of the oldest and newest Kubernetes that we support."""
    for version in VERSIONS:
        kubernetes_validate.validate(item, version, strict=True)
    for spec in pod_specs(item):
        check_restricted(spec)


def pod_specs(value) -> Iterator[dict]:
    """Every pod specification anywhere in an object."""
    if isinstance(value, dict):
        if "containers" in value and isinstance(value["containers"], list):
            yield value
        for part in value.values():
            yield from pod_specs(part)
    elif isinstance(value, list):
        for part in value:
            yield from pod_specs(part)


def check_restricted(spec: dict) -> None:
    """The rules of pod security "restricted", and ours: read-only root, limits, no token of the API server."""
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert all("hostPath" not in volume for volume in spec["volumes"])
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


def as_pod(spec: dict) -> dict:
    """A pod specification as an object of its own, for the schema."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}

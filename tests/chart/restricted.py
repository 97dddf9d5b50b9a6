"""The Pod Security Standard "restricted", and what the platform asks of its pods beyond it, over plain pod specs.

Written from the standard's own text (kubernetes.io, Pod Security Standards), so that it also covers objects that only
become pods later.
"""

from collections.abc import Iterator
from typing import Any

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
Spec = dict[str, Any]


def violations(spec: Spec) -> list[str]:
    """What the pod would be refused for under "restricted"."""
    return [*_pod_level(spec), *(problem for one in _containers(spec) for problem in _container(one, spec))]


def shortcomings(spec: Spec) -> list[str]:
    """What the platform asks for and the pod lacks."""
    found = [] if spec.get("terminationGracePeriodSeconds") else ["no terminationGracePeriodSeconds"]
    if spec.get("automountServiceAccountToken") is None:
        found.append("does not say whether it needs a service account token")
    if not isinstance(spec.get("securityContext", {}).get("runAsUser"), int):
        found.append("no numeric user")
    for one in _containers(spec):
        found += [f"{one['name']}: {problem}" for problem in _lacks(one)]
    return found


def _containers(spec: Spec) -> Iterator[Spec]:
    yield from spec["containers"]
    yield from spec.get("initContainers", [])


def _pod_level(spec: Spec) -> Iterator[str]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name):
            yield name
    for volume in spec.get("volumes", []):
        if not (set(volume) - {"name"}) <= _VOLUMES:
            yield f"volume {volume['name']} of a kind that is not allowed"
    if spec.get("securityContext", {}).get("sysctls"):
        yield "sysctls"


def _container(one: Spec, spec: Spec) -> Iterator[str]:
    own, shared = one.get("securityContext", {}), spec.get("securityContext", {})
    if own.get("privileged"):
        yield f"{one['name']}: privileged"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{one['name']}: allowPrivilegeEscalation is not false"
    if "ALL" not in own.get("capabilities", {}).get("drop", []):
        yield f"{one['name']}: does not drop ALL"
    if set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{one['name']}: adds capabilities"
    if own.get("runAsNonRoot", shared.get("runAsNonRoot")) is not True:
        yield f"{one['name']}: runAsNonRoot is not true"
    if 0 in (own.get("runAsUser"), shared.get("runAsUser")):
        yield f"{one['name']}: runs as root"
    profile = own.get("seccompProfile", shared.get("seccompProfile", {}))
    if profile.get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"{one['name']}: no seccomp profile"
    if any(port.get("hostPort") for port in one.get("ports", [])):
        yield f"{one['name']}: host port"


def _lacks(one: Spec) -> Iterator[str]:
    if one.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
        yield "root file system can be written"
    if not any(mount["mountPath"] == "/tmp" for mount in one.get("volumeMounts", [])):
        yield "no /tmp"
    for kind in ("requests", "limits"):
        if not {"cpu", "memory"} <= set(one.get("resources", {}).get(kind, {})):
            yield f"no {kind}"
    image = one["image"]
    if image.endswith(":latest") or ("@sha256:" not in image and ":" not in image.rpartition("/")[2]):
        yield f"image {image} names no version"

"""Images: pods that wait for one now, and images that no node has where nothing is ever pulled."""

from collections.abc import Iterator
from typing import Any

from components.kubernetes.requests import ForbiddenError
from pipelines.doctor.records import Finding, Release, View, fails, skipped, works

PART = "images"
_WAITING = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})


def check_images(view: View, release: Release) -> list[Finding]:
    """Pods of the namespace that cannot have their image, and our images on the nodes."""
    pods = (view.read(f"/api/v1/namespaces/{view.namespace}/pods") or {"items": []})["items"]
    stuck = [finding for pod in pods for finding in _waiting(pod)]
    return stuck or [_on_nodes(view, release)]


def _waiting(pod: Any) -> Iterator[Finding]:
    for status in pod.get("status", {}).get("containerStatuses", []):
        waiting = status.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _WAITING:
            yield fails(
                PART,
                f"pod {pod['metadata']['name']} cannot have {status['image']}: {waiting['reason']}",
                "push the image there, name one that exists (images.*), or give images.pullSecrets the registry's key",
            )


def _on_nodes(view: View, release: Release) -> Finding:
    if not release.images:
        return skipped(PART, "no pod waits for one")
    try:
        nodes = (view.read("/api/v1/nodes") or {"items": []})["items"]
    except ForbiddenError:
        return works(PART, "no pod waits for one")
    held = {name for node in nodes for image in node["status"].get("images", []) for name in image.get("names") or ()}
    absent = [image for image in release.images if not _is_held(image, held)]
    if absent and release.cluster.images.pull_policy == "Never":
        return fails(
            PART,
            f"no node has {', '.join(absent)}, and the pull policy is Never",
            "load the images into the nodes, or set images.pullPolicy to IfNotPresent",
        )
    told = f"{len(release.images) - len(absent)} of {len(release.images)} are on a node"
    return works(PART, f"no pod waits for one; {told}{'; the rest is pulled when it is needed' if absent else ''}")


def _is_held(image: str, held: set[str]) -> bool:
    return any(name in (image, f"docker.io/{image}", f"docker.io/library/{image}") for name in held)

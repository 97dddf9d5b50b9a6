"""A cluster as doctor sees it, from plain answers by path; what is not written down is not there."""

from dataclasses import dataclass, field

from components.kubernetes.requests import ForbiddenError

NAMESPACE = "team-a"
DISCOVERY = {
    "serving.kserve.io": ("v1beta1", "inferenceservices"),
    "kubeflow.org": ("v1", "pytorchjobs"),
    "trainer.kubeflow.org": ("v1alpha1", "trainjobs"),
    "kueue.x-k8s.io": ("v1beta1", "localqueues"),
    "keda.sh": ("v1alpha1", "scaledobjects"),
    "monitoring.coreos.com": ("v1", "podmonitors"),
}


@dataclass
class Answers:
    """Answers by path, paths that this account may not read, and rights that an account has."""

    namespace: str = NAMESPACE
    answers: dict = field(default_factory=dict)
    forbidden: tuple[str, ...] = ()
    denied: tuple[tuple[str, str], ...] = ()
    reviews: list = field(default_factory=list)

    def read(self, path, **query):
        if any(path.startswith(start) for start in self.forbidden):
            raise ForbiddenError(f"not allowed: {path}")
        return self.answers.get(path)

    def review(self, path, body):
        if any(path.startswith(start) for start in self.forbidden):
            raise ForbiddenError(f"not allowed: {path}")
        self.reviews.append((path, body))
        asked = body["spec"]["resourceAttributes"]
        return {"allowed": (asked["verb"], asked["resource"]) not in self.denied}

    def serve(self, *groups):
        """The API serves these groups."""
        for group in groups:
            version, resource = DISCOVERY[group]
            name = f"{group}/{version}"
            self.answers[f"/apis/{group}"] = {"versions": [{"groupVersion": name}]}
            self.answers[f"/apis/{name}"] = {"resources": [{"name": resource}]}
        return self

    def define_kserve(self, *, canary):
        """The InferenceService definition, with or without ``spec.canary``."""
        properties = {"predictor": {}} | ({"canary": {}} if canary else {})
        schema = {"properties": {"spec": {"properties": properties}}}
        definition = {"spec": {"versions": [{"name": "v1beta1", "schema": {"openAPIV3Schema": schema}}]}}
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.serving.kserve.io"
        self.answers[path] = definition
        return self

    def run(self, image, replicas=1):
        """Every controller that is asked for is this one."""
        template = {"spec": {"containers": [{"image": image}]}}
        deployment = {"spec": {"template": template}, "status": {"availableReplicas": replicas}}
        self.answers["/apis/apps/v1/deployments"] = {"items": [deployment]}
        return self

    def join(self, *nodes):
        """The cluster has these nodes."""
        self.answers["/api/v1/nodes"] = {"items": list(nodes)}
        return self

    def hold(self, kind, *items):
        """The namespace has these objects."""
        self.answers[f"/api/v1/namespaces/{NAMESPACE}/{kind}"] = {"items": list(items)}
        return self

    def keep(self, name, *keys, kind="Opaque"):
        """The namespace has a secret with these keys."""
        self.answers[f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}"] = {
            "type": kind,
            "data": dict.fromkeys(keys, "eA=="),
        }
        return self


def a_node(labels=None, taints=(), gpus=0, *, ready=True, cordoned=False, images=()):
    return {
        "metadata": {"name": "node-1", "labels": labels or {}},
        "spec": {"taints": list(taints), "unschedulable": cordoned},
        "status": {
            "conditions": [{"type": "Ready", "status": str(ready)}],
            "allocatable": {"nvidia.com/gpu": str(gpus)},
            "images": [{"names": list(images)}],
        },
    }

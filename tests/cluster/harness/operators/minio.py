"""A MinIO server in the cluster with one bucket: the object store that tests share, one prefix each."""

import base64
import secrets
from dataclasses import dataclass

from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from tests.cluster.harness.images import Image, single
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.manifests import Object, install
from tests.cluster.harness.waiting import until

NAMESPACE = "minio"
IMAGE = "docker.io/minio/minio:latest"
BUCKET = "clsp"
PORT = 9000
LABELS = {"app": "minio"}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class ObjectStore:
    """An S3 endpoint as pods reach it and as this machine does.

    Attributes:
        endpoint: URL for pods.
        host_endpoint: URL for this machine.
        bucket: is there already.
    """

    endpoint: str
    host_endpoint: str
    access_key: str
    secret_key: str
    bucket: str = BUCKET

    def client(self) -> Minio:
        """A client on this machine."""
        return Minio(
            self.host_endpoint.removeprefix("http://"),
            access_key=self.access_key,
            secret_key=self.secret_key,
            secure=False,
        )


def image() -> Image:
    return single("minio", "/bin/minio", IMAGE)


def server(access_key: str, secret_key: str, namespace: str = NAMESPACE) -> list[Object]:
    """Namespace, Secret, Deployment and Service; the data live as long as the pod."""
    meta = {"name": "minio", "namespace": namespace, "labels": LABELS}
    enforced = {"pod-security.kubernetes.io/enforce": "restricted", "clsp-test": "true"}
    container = {
        "name": "minio",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["minio", "server", "/data", "--address", f":{PORT}", "--quiet"],
        "env": [{"name": "HOME", "value": "/data"}, {"name": "MINIO_CI_CD", "value": "1"}],
        "envFrom": [{"secretRef": {"name": "minio"}}],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/minio/health/ready", "port": PORT}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        "securityContext": RESTRICTED,
    }
    pod = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
        "volumes": [{"name": "data", "emptyDir": {}}],
    }
    keys = {"MINIO_ROOT_USER": access_key, "MINIO_ROOT_PASSWORD": secret_key}
    selected = {"selector": {"matchLabels": LABELS}, "template": {"metadata": {"labels": LABELS}, "spec": pod}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": enforced}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": keys},
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": selected},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": LABELS, "ports": [{"port": PORT}]},
        },
    ]


def apply(kubectl: Kubectl, namespace: str = NAMESPACE) -> None:
    """Install it under keys of its own."""
    install(kubectl, server(f"clsp-{secrets.token_hex(4)}", secrets.token_hex(16), namespace))


def wait(kubectl: Kubectl) -> ObjectStore:
    """Until it answers this machine and its bucket is there; Services are routed from the machine."""
    inside = kubectl.within(NAMESPACE)
    inside.wait("condition=Available", "deployment/minio")
    address = inside.get("service", "minio")["spec"]["clusterIP"]
    return store(kubectl, f"http://{address}:{PORT}")


def store(kubectl: Kubectl, host_endpoint: str, namespace: str = NAMESPACE) -> ObjectStore:
    """The server as it was installed, its bucket made, at an endpoint that this machine reaches."""
    keys = kubectl.within(namespace).get("secret", "minio")["data"]
    user, password = (base64.b64decode(keys[one]).decode() for one in ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"))
    found = ObjectStore(f"http://minio.{namespace}.svc.cluster.local:{PORT}", host_endpoint, user, password)
    until("the bucket is there", lambda: has_bucket(found.client()), 60)
    return found


def has_bucket(client: Minio) -> bool:
    """Make the bucket unless it is there; a server that does not answer yet is no."""
    try:
        if not client.bucket_exists(BUCKET):
            client.make_bucket(BUCKET)
    except (MinioException, HTTPError):
        return False
    return True

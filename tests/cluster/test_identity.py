"""A store without keys: the cluster signs a service account's token, MinIO trusts the cluster and gives keys for it.

Nothing is faked: the issuer is the API server, the security token service is MinIO's own.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from clsp.errors import StorageError
from clsp.storage import open_store
from clsp.storage.credentials import KEYS
from pipelines.doctor.records import Release, Severity
from pipelines.doctor.storage import check_storage
from tests.cluster.harness.access import Access
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators import minio
from tests.cluster.harness.waiting import until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

AUDIENCE, ACCOUNT = "minio", "clsp-steps"
ISSUER = "https://kubernetes.default.svc.cluster.local"
# How MinIO names the role of a client: by a hash of the client's id.
ROLE = f"arn:minio:iam:::role/{base64.urlsafe_b64encode(hashlib.sha1(AUDIENCE.encode()).digest()).decode().rstrip('=')}"
TRUST = {
    "MINIO_IDENTITY_OPENID_CONFIG_URL": f"{ISSUER}/.well-known/openid-configuration",
    "MINIO_IDENTITY_OPENID_CLIENT_ID": AUDIENCE,
    "MINIO_IDENTITY_OPENID_ROLE_POLICY": "readwrite",
}


def trusting_server(namespace: str) -> list[dict]:
    """The harness' MinIO, in the test's namespace, with the cluster as its identity provider."""
    _, *objects = minio.server("nobody-uses-it", "neither-does-anybody-this")
    for one in objects:
        one["metadata"] = {**one["metadata"], "namespace": namespace}
        if one["kind"] == "Deployment":
            pod = one["spec"]["template"]["spec"]
            (container,) = pod["containers"]
            container["env"] = [*container["env"], *({"name": name, "value": value} for name, value in TRUST.items())]
            container["command"] = [*container["command"], "--certs-dir=/certs"]
            container["volumeMounts"] = [*container["volumeMounts"], {"name": "authority", "mountPath": "/certs/CAs"}]
            authority = {"name": "authority", "configMap": {"name": "kube-root-ca.crt"}}
            pod["volumes"] = [*pod["volumes"], authority]
    return objects


@pytest.fixture
def issuer(cluster: Access, namespace: str) -> Iterator[None]:
    """Whoever checks the cluster's tokens may read its keys, as clusters with workload identity allow."""
    told = orjson.loads(cluster.kubectl("get", "--raw", "/.well-known/openid-configuration"))["issuer"]
    if told != ISSUER:
        pytest.skip(f"your cluster signs tokens as {told}, which the test's MinIO does not know")
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"{namespace}-issuer"},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "system:service-account-issuer-discovery",
        },
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:unauthenticated"}],
    }
    cluster.kubectl.apply([binding])
    yield
    cluster.kubectl("delete", "clusterrolebinding", f"{namespace}-issuer", "--wait=false")


def token(kubectl: Kubectl, audience: str, path: Path) -> None:
    """A token of the service account, as the kubelet projects it into a pod."""
    path.write_text(kubectl("create", "token", ACCOUNT, f"--audience={audience}").strip())


@pytest.mark.usefixtures("issuer")
def test_a_service_account_is_all_that_a_store_needs(
    cluster: Access, namespace: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubectl = cluster.kubectl.within(namespace)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": ACCOUNT}}
    kubectl.apply([account, *trusting_server(namespace)])
    kubectl.wait("condition=Available", "deployment/minio")
    with cluster.reach(namespace, "minio", minio.PORT) as url:
        for name in KEYS:
            monkeypatch.delenv(name, raising=False)
        identity = tmp_path / "token"
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ENDPOINT_URL_STS": url,
            "AWS_ROLE_ARN": ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(identity),
        }.items():
            monkeypatch.setenv(name, value)
        token(kubectl, AUDIENCE, identity)
        until("MinIO gives keys", lambda: _made(f"s3://{namespace}"), 60)
        (found,) = check_storage(Release(store=f"s3://{namespace}/team-a"))
        assert (found.severity, found.mend) == (Severity.OK, "")
        token(kubectl, "somebody-else", identity)
        with pytest.raises(StorageError, match="the security token service gave no credentials") as caught:
            open_store(f"s3://{namespace}/team-a").get("x")
        assert identity.read_text() not in str(caught.value)
        (refused,) = check_storage(Release(store=f"s3://{namespace}/team-a"))
        assert refused.severity is Severity.ERROR
        assert "AWS_ROLE_ARN" in refused.mend


def _made(uri: str) -> bool:
    """Make the bucket with the exchanged keys; MinIO loads its identity provider a moment after it is ready."""
    store = open_store(uri)
    try:
        store._client.make_bucket(uri.removeprefix("s3://"))
    except StorageError:
        return False
    return True

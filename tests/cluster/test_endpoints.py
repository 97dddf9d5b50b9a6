"""A version as two InferenceServices: they answer with the model's own vectors, and a bad version leaves them so.

They let in who has an API key; the step's own comes from its environment.
"""

import hashlib

import pytest

from clsp.config import ClusterSettings, RegisterSettings, ServeSettings, parse_settings
from clsp.errors import EndpointError
from clsp.storage.manifest import load_manifest
from components.kubernetes.client import connect
from components.register.main import run as register
from components.serve.deployment import deploy
from components.serve.probe import make_probe, version_uri
from serving.client import EmbeddingClient
from serving.probe import KEY_VARIABLE
from tests.cluster.own_pods import SIZE, cluster_settings, store_of
from tests.handovers import make_parents

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]
KEY = "clsp-a-key-of-the-probe"


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_a_version_answers_and_a_bad_one_is_rolled_back(cluster, namespace, monkeypatch, tmp_path):
    store = store_of(cluster, namespace, monkeypatch)
    name = register(
        store=store.uri,
        run_id="r",
        settings=RegisterSettings().model_dump_json(),
        **make_parents(store, tmp_path / "m"),
    )
    version, settings = load_manifest(store, name), ServeSettings(threads=1)
    work = {"size": SIZE, "start_seconds": 600, "answer_seconds": 120}
    hashes = {"keys": f"probe {hashlib.sha256(KEY.encode()).hexdigest()}\n"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "clsp-api-keys"}, "stringData": hashes}
    cluster.kubectl.within(namespace).apply([secret])
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    given = {**cluster_settings(cluster, namespace, serve=work), "api_keys_secret": "clsp-api-keys"}
    where = parse_settings(ClusterSettings, given)
    kube, probe = connect(namespace), make_probe(store, settings, version)

    def reach(service):
        return cluster.reach(namespace, service, 80)

    deploy(kube, where, settings, version_uri(store, version), probe, reach)
    kubectl = cluster.kubectl.within(namespace)
    before = kubectl.get("inferenceservices")["items"]
    with pytest.raises(EndpointError, match="does not come up"):
        deploy(kube, where, settings, f"{store.uri}/models/clsp/none", probe, reach)
    assert [item["spec"] for item in kubectl.get("inferenceservices")["items"]] == [item["spec"] for item in before]
    for tower, check in (("speech", probe.check_speech), ("text", probe.check_text)):
        kubectl.wait("condition=Ready", f"inferenceservice/{where.release}-{tower}")
        with reach(f"{where.release}-{tower}-predictor") as url, EmbeddingClient(url, api_key=KEY) as client:
            client.wait_ready(60)
            check(client)
            with EmbeddingClient(url) as stranger, pytest.raises(EndpointError, match="needs an API key"):
                check(stranger)

"""Releasing a version on a real KServe under load: a bad one goes back, a good one takes over, no call fails."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from clsp.config import ClusterSettings, ServeSettings, parse_settings
from clsp.errors import ClspError, EndpointError
from clsp.registry import publish
from components.kubernetes.client import connect
from components.kubernetes.objects import Kind, new_object
from components.serve.endpoints import TOWERS, Endpoint, inference_service
from components.serve.probe import Probe, plain_probe
from components.serve.release import Rollout, release
from serving.client import EmbeddingClient
from tests.cluster.own_pods import SIZE, cluster_settings, store_of
from tests.tiny_model import TEXTS, write_tiny_model

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1800)]
RUNTIME = Kind("serving.kserve.io/v1alpha1", "ServingRuntime")
WATCH = {"watch_seconds": 8, "tick_seconds": 0.5, "least_calls": 5, "latency_ratio": 20.0}


@contextmanager
def load(reach, service: str) -> Iterator[list[str]]:
    """Ask the endpoint over and over while in the block; what it failed with."""
    failures: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with reach(service) as url, EmbeddingClient(url, timeout=60) as client:
            while not stop.wait(0.1):
                try:
                    client.embed_texts(TEXTS[:1])
                except ClspError as error:
                    failures.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield failures
    finally:
        stop.set()
        thread.join()


def install(kube, endpoint: Endpoint) -> None:
    """The endpoint as the chart makes it: a ServingRuntime, and a model that it serves."""
    item = inference_service(endpoint)
    predictor = dict(item["spec"]["predictor"])
    (server,) = predictor.pop("containers")
    volumes = predictor.pop("volumes", [])
    run = {**server, "command": server["command"][:3]}
    spec = {
        "containers": [run],
        "volumes": volumes,
        "supportedModelFormats": [{"name": "huggingface"}],
        "protocolVersions": ["v2"],
    }
    kube.apply(new_object(RUNTIME, endpoint.name, {}, spec=spec))
    model = {"modelFormat": {"name": "huggingface"}, "runtime": endpoint.name, "protocolVersion": "v2"}
    model["args"] = server["command"][3:]
    kube.apply({**item, "spec": {"predictor": {**predictor, "model": model}}})


@pytest.mark.parametrize("namespace", ["privileged"], indirect=True)
def test_under_load_a_bad_version_goes_back_and_a_good_one_takes_over(cluster, namespace, monkeypatch, tmp_path):
    store = store_of(cluster, namespace, monkeypatch)
    settings = ServeSettings(threads=1)
    found = [
        publish(
            store, "clsp", write_tiny_model(tmp_path / str(seed), seed), licences={}, manifests={"model": f"m{seed}"}
        )
        for seed in (1, 2)
    ]
    first, second = (plain_probe(version.uri, settings) for version in found)
    work = {"size": SIZE, "start_seconds": 600, "answer_seconds": 120, "release": WATCH}
    where = parse_settings(ClusterSettings, cluster_settings(cluster, namespace, serve=work))
    kube, kubectl = connect(namespace), cluster.kubectl.within(namespace)

    def reach(service):
        return cluster.reach(namespace, service, 80)

    def served() -> set[str]:
        return {
            item["spec"]["predictor"]["annotations"]["clsp/version"]
            for item in kubectl.get("inferenceservices")["items"]
            if "canary" not in item["spec"]
        }

    for tower in TOWERS:
        install(kube, Endpoint(tower, found[0].uri, first.sha256, settings, where))
    for tower in TOWERS:
        kubectl.wait("condition=Ready", f"inferenceservice/{where.release}-{tower}", timeout=600)
        with reach(f"{where.release}-{tower}-predictor") as url, EmbeddingClient(url) as client:
            client.wait_ready(120)
    with load(reach, f"{where.release}-text-predictor") as failures:
        bad = Probe(second.version, second.sha256, second.text, second.sound, second.expected[::-1])
        with pytest.raises(EndpointError, match=r"rolled back from .*vectors differ"):
            release(Rollout(kube, where, bad, reach), settings, found[1].uri)
        assert served() == {found[0].sha256}
        release(Rollout(kube, where, second, reach), settings, found[1].uri)
        assert served() == {found[1].sha256}
    assert failures == []

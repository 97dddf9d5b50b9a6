"""Deploying a version: the test plays KServe on a fake API server, the embedding server behind it is the real one."""

import hashlib
import threading
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

from clsp.config import ClusterSettings, ServeSettings
from clsp.errors import EndpointError
from components.kubernetes.objects import DEPLOYMENT, POD, new_object
from components.serve.deployment import deploy, is_rolled_out
from components.serve.endpoints import REVISION, VERSION, Endpoint, inference_service, revision
from components.serve.probe import Probe
from serving.launch import running_server
from tests.chart.rendering import find, render_shape
from tests.components.kubernetes.fake_api import fake_cluster
from tests.components.kubernetes.manifests import as_pod, check, check_restricted
from tests.tiny_model import encoded, tone, write_tiny_model

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/team-a/inferenceservices"
DEPLOYMENTS = "/apis/apps/v1/namespaces/team-a/deployments"
PODS = "/api/v1/namespaces/team-a/pods"
TEXT = "a calm voice that speaks slowly"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """URL of a real server of a tiny model, and the probe that it passes."""
    from clsp.data.clips import decode_flac
    from clsp.model.loading import load_for_serving

    folder = str(write_tiny_model(tmp_path_factory.mktemp("model")))
    settings, sound = ServeSettings(threads=1), encoded(tone(1.0, 200))
    model = load_for_serving(folder, "cpu", "float32", settings)
    expected = [model.encode_text([TEXT]).numpy(), model.encode_speech([decode_flac(sound, "probe")]).numpy()]
    with running_server(folder, settings) as place:
        yield place.url, Probe("v1", model.identity.sha256, TEXT, sound, np.concatenate(expected))


def settings(**serve):
    return ClusterSettings(enabled=True, release="team", serve={"timeout_seconds": 5, "answer_seconds": 1, **serve})


def endpoint(tower="speech", **serve):
    return Endpoint(tower, "s3://b/p/models/clsp/v1", "a" * 64, ServeSettings(), settings(**serve))


def deployment(mark, *, wanted=1, **status):
    item = new_object(DEPLOYMENT, "d", {})
    counts = {"replicas": wanted, "updatedReplicas": wanted, "availableReplicas": wanted}
    spec = {"replicas": wanted, "template": {"metadata": {"annotations": {REVISION: mark}}}}
    metadata = {**item["metadata"], "generation": 2}
    return {**item, "metadata": metadata, "spec": spec, "status": {"observedGeneration": 2, **counts, **status}}


@contextmanager
def kserve(pod_status=None):
    """A cluster whose InferenceServices roll out as soon as they are applied, or whose pods fail."""
    with fake_cluster() as (api, cluster):
        stop = threading.Event()

        def roll_out():
            events, seen = [], 0
            while not stop.is_set():
                with api.changed:
                    if len(api.history) == seen:
                        api.changed.wait(1)
                    events, seen = api.history[seen:], len(api.history)
                for kind, path, item in events:
                    if path.startswith(f"{SERVICES}/") and kind != "DELETED" and "status" not in item:
                        play(path, item)

        def play(path, item):
            name, mark = item["metadata"]["name"], revision(item["metadata"])
            if pod_status:
                labels = {"serving.kserve.io/inferenceservice": name}
                pod = new_object(POD, f"{name}-0", labels)
                pod["metadata"]["annotations"] = {REVISION: mark}
                api.put(f"{PODS}/{name}-0", {**pod, "status": pod_status})
                return
            api.put(f"{DEPLOYMENTS}/{name}-predictor", deployment(mark))
            api.put(path, {**item, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})

        thread = threading.Thread(target=roll_out, daemon=True)
        thread.start()
        try:
            yield api, cluster
        finally:
            stop.set()
            with api.changed:
                api.changed.notify_all()
            thread.join(5)


def versions(api):
    return {
        path.rpartition("/")[2]: item["metadata"]["annotations"][VERSION]
        for path, item in api.objects.items()
        if path.startswith(f"{SERVICES}/")
    }


def run(cluster, url, probe, **serve):
    deploy(cluster, settings(**serve), ServeSettings(), "s3://b/models/clsp/v1", probe, lambda _: nullcontext(url))


def test_both_endpoints_answer_and_stay(served):
    url, probe = served
    with kserve() as (api, cluster):
        run(cluster, url, probe)
        assert versions(api) == {"team-speech": probe.sha256, "team-text": probe.sha256}


def test_a_first_version_that_answers_wrongly_is_removed(served):
    url, probe = served
    other = Probe(probe.version, probe.sha256, probe.text, probe.sound, probe.expected[::-1])
    with kserve() as (api, cluster), pytest.raises(EndpointError, match="differ from the model's"):
        run(cluster, url, other)
    assert versions(api) == {}


def test_a_version_that_is_not_what_the_endpoint_serves_makes_room_for_the_one_before(served):
    url, probe = served
    with kserve() as (api, cluster):
        run(cluster, url, probe)
        before = api.objects[f"{SERVICES}/team-speech"]["spec"]
        other = Probe("v2", "f" * 64, probe.text, probe.sound, probe.expected)
        with pytest.raises(EndpointError, match=r"serves .*, not ffffffffffff"):
            run(cluster, url, other)
        assert versions(api) == {"team-speech": probe.sha256, "team-text": probe.sha256}
        assert api.objects[f"{SERVICES}/team-speech"]["spec"] == before


def test_a_server_that_does_not_come_up_tells_why(served):
    ended = {"exitCode": 7, "reason": "Error", "message": "no model at s3://b"}
    status = {"name": "kserve-container", "restartCount": 3, "state": {}, "lastState": {"terminated": ended}}
    failing = {"phase": "Running", "containerStatuses": [status]}
    with (
        kserve(failing) as (api, cluster),
        pytest.raises(EndpointError, match=r"does not come up: kserve-container ended with 7 .*no model at s3"),
    ):
        run(cluster, *served, timeout_seconds=30)
    assert versions(api) == {}


def test_a_server_that_is_never_scheduled_ends_the_wait(served):
    unscheduled = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}
    pending = {"phase": "Pending", "conditions": [unscheduled]}
    with kserve(pending) as (api, cluster), pytest.raises(EndpointError, match="0/1 nodes are available"):
        run(cluster, *served, timeout_seconds=2)
    assert versions(api) == {}


@pytest.mark.parametrize(
    ("changes", "done"),
    [
        ({}, True),
        ({"observedGeneration": 1}, False),
        ({"updatedReplicas": 0}, False),
        ({"replicas": 2}, False),
        ({"availableReplicas": 0}, False),
    ],
)
def test_a_roll_out_is_over_when_every_replica_is_of_the_version(changes, done):
    assert is_rolled_out(deployment("a", **changes), "a") is done
    assert not is_rolled_out(deployment("a", **changes), "b")


def test_an_endpoint_is_restricted_probed_and_fetches_its_own_model():
    item = inference_service(endpoint("text", start_seconds=300))
    predictor = dict(item["spec"]["predictor"])
    assert item["metadata"]["name"] == "team-text"
    assert item["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    assert predictor["annotations"] == {VERSION: "a" * 64, REVISION: revision(item["metadata"])}
    assert revision(item["metadata"]) != revision(inference_service(endpoint("text", start_seconds=400))["metadata"])
    (server,) = predictor["containers"]
    assert server["command"][:4] == ["python3", "-m", "serving", "s3://b/p/models/clsp/v1"]
    assert '"name":"clsp-text"' in server["command"][-1]
    assert '"port":8080' in server["command"][-1]
    assert server["startupProbe"]["failureThreshold"] * server["startupProbe"]["periodSeconds"] == 300
    assert {"readinessProbe", "livenessProbe"} <= server.keys()
    assert server["envFrom"] == [{"secretRef": {"name": "clsp-store", "optional": False}}]
    for name in ("minReplicas", "maxReplicas", "deploymentStrategy", "labels", "annotations"):
        predictor.pop(name)
    check_restricted(predictor)
    check(as_pod(predictor))


def test_an_endpoint_with_api_keys_reads_their_hashes_and_not_the_key_of_the_probe():
    keyed = Endpoint(
        "text", "s3://b/p/m", "a" * 64, ServeSettings(), settings().model_copy(update={"api_keys_secret": "k"})
    )
    predictor = inference_service(keyed)["spec"]["predictor"]
    (server,) = predictor["containers"]
    volume = next(item for item in predictor["volumes"] if item["name"] == "keys")
    assert volume["secret"] == {"secretName": "k", "items": [{"key": "keys", "path": "keys"}]}
    folder = next(item["mountPath"] for item in server["volumeMounts"] if item["name"] == "keys")
    assert f'"api_keys_file":"{folder}/keys"' in server["command"][-1]
    chart = find(render_shape("locked-down"), "InferenceService", "-text")["spec"]["predictor"]["model"]["args"][-1]
    assert f'"api_keys_file":"{folder}/keys"' in chart


def test_the_probe_shows_its_key(served, monkeypatch, tmp_path):
    _, probe = served
    key = "clsp-of-the-probe"
    (tmp_path / "keys").write_text(f"probe {hashlib.sha256(key.encode()).hexdigest()}\n")
    keyed = ServeSettings(threads=1, api_keys_file=str(tmp_path / "keys"))
    with running_server(str(write_tiny_model(tmp_path / "model")), keyed) as place, kserve() as (_, cluster):
        with pytest.raises(EndpointError, match="API key"):
            run(cluster, place.url, probe)
        monkeypatch.setenv("CLSP_SERVING_API_KEY", key)
        run(cluster, place.url, probe)


@pytest.mark.parametrize(("most", "scaler"), [(1, "none"), (3, "hpa")])
def test_more_replicas_at_most_than_at_least_ask_for_an_autoscaler(most, scaler):
    item = inference_service(endpoint(replicas=1, max_replicas=most))
    assert item["metadata"]["annotations"]["serving.kserve.io/autoscalerClass"] == scaler
    assert item["spec"]["predictor"]["maxReplicas"] == most

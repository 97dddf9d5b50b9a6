"""Releasing a version: the test plays KServe on a fake API server, both embedding servers behind it are real."""

import secrets
import threading
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest

from clsp.config import ClusterSettings, ServeSettings
from clsp.config.cluster import ReleaseWork
from clsp.errors import ClusterError, EndpointError
from clsp.registry import move_alias, publish
from clsp.storage import open_store
from components.kubernetes.objects import DEPLOYMENT, new_object
from components.serve import release as release_module
from components.serve.endpoints import REVISION, VERSION, Endpoint, inference_service
from components.serve.followed import Alias, followed_alias, pinned
from components.serve.probe import Probe, plain_probe
from components.serve.release import Rollout, release
from components.serve.watching import Seen, count_calls, what_is_wrong
from serving.client import EmbeddingClient
from serving.launch import running_server
from tests.components.kubernetes.fake_api import fake_cluster
from tests.tiny_model import write_tiny_model

SERVICES = "/apis/serving.kserve.io/v1beta1/namespaces/team-a/inferenceservices"
DEPLOYMENTS = "/apis/apps/v1/namespaces/team-a/deployments"
DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/inferenceservices.serving.kserve.io"
QUICK = {"watch_seconds": 1.0, "tick_seconds": 0.1, "least_calls": 3, "latency_ratio": 50.0}
NEW = "s3://b/models/clsp/v2"


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A store with the stable version and the new one."""
    root = tmp_path_factory.mktemp("registered")
    store = open_store(f"file://{root}/store")
    models = [write_tiny_model(root / str(seed), seed) for seed in (1, 2)]
    return store, [publish(store, "clsp", model, licences={}, manifests={"model": model.name}) for model in models]


@pytest.fixture(scope="module")
def pair(registered):
    """URLs of a server of the stable version and of one of the new, and the new one's probe."""
    stable, new = (version.uri for version in registered[1])
    settings = ServeSettings(threads=1, grpc=False, access_log=False)
    with running_server(stable, settings) as before, running_server(new, settings) as after:
        yield before.url, after.url, plain_probe(new, settings)


def where(**changes):
    serve = {"timeout_seconds": 10, "answer_seconds": 2, "release": {**QUICK, **changes}}
    return ClusterSettings(enabled=True, release="team", serve=serve)


def deployed(mark):
    item = new_object(DEPLOYMENT, "d", {})
    counts = {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    spec = {"replicas": 1, "template": {"metadata": {"annotations": {REVISION: mark}}}}
    return {**item, "metadata": {**item["metadata"], "generation": 1}, "spec": spec,
            "status": {"observedGeneration": 1, **counts}}  # fmt: skip


def of_model(item):
    """An endpoint as the chart makes it: a model with a runtime and not a plain container."""
    predictor = {name: value for name, value in item["spec"]["predictor"].items() if name != "containers"}
    arguments = item["spec"]["predictor"]["containers"][0]["command"][3:]
    model = {"modelFormat": {"name": "clsp"}, "runtime": "clsp", "args": arguments}
    return {**item, "spec": {"predictor": {**predictor, "model": model}}}


def roll_out(api, path, item):
    """What KServe does about an InferenceService that was applied."""
    name, spec = item["metadata"]["name"], item["spec"]
    api.put(f"{DEPLOYMENTS}/{name}-predictor", deployed(spec["predictor"]["annotations"][REVISION]))
    for each in spec.get("canary", ()):
        mark = each["predictor"]["annotations"][REVISION]
        api.put(f"{DEPLOYMENTS}/{name}-{each['predictor']['name']}-predictor", deployed(mark))
    if api.objects.get(path, {}).get("spec") == spec:
        api.put(path, {**item, "status": {"conditions": [{"type": "Ready", "status": "True"}]}})


def play(api, stop):
    seen = 0
    while not stop.is_set():
        with api.changed:
            if len(api.history) == seen:
                api.changed.wait(1)
            events, seen = api.history[seen:], len(api.history)
        for kind, path, item in events:
            if path.startswith(f"{SERVICES}/") and kind != "DELETED" and "status" not in item:
                roll_out(api, path, item)


@contextmanager
def kserve(*, canary=True, stable=True, served="s3://b/models/clsp/v1"):
    """A cluster whose predictors, stable and canary, are rolled out as soon as they are applied."""
    with fake_cluster() as (api, cluster):
        properties = {"predictor": {}} | ({"canary": {}} if canary else {})
        schema = {"openAPIV3Schema": {"properties": {"spec": {"properties": properties}}}}
        api.put(DEFINITION, {"metadata": {}, "spec": {"versions": [{"schema": schema}]}})
        for tower in ("speech", "text") if stable else ():
            first = Endpoint(tower, served, "1" * 64, ServeSettings(), where())
            api.put(f"{SERVICES}/team-{tower}", of_model(inference_service(first)))
        stop = threading.Event()
        thread = threading.Thread(target=play, args=(api, stop), daemon=True)
        thread.start()
        try:
            yield api, cluster
        finally:
            stop.set()
            with api.changed:
                api.changed.notify_all()
            thread.join(5)


def versions(api):
    """Of each endpoint the version that serves, and whether there is a canary."""
    return {
        path.rpartition("/")[2]: (item["spec"]["predictor"]["annotations"][VERSION], "canary" in item["spec"])
        for path, item in api.objects.items()
        if path.startswith(f"{SERVICES}/")
    }


def shares(api):
    """What share of the calls a canary was given over time, '-' for none."""
    found = [item["spec"].get("canary") for kind, path, item in api.history if path == f"{SERVICES}/team-speech"]
    return [each[0]["trafficPercent"] if each else "-" for each in found]


def reaching(stable, canary):
    """Where Services lead; a promoted version answers in the stable one's place."""
    promoted = {}

    def reach(service):
        if "canary" in service:
            return nullcontext(canary)
        return nullcontext(promoted.get(service, stable))

    reach.promote = lambda: promoted.update({f"team-{tower}-predictor": canary for tower in ("speech", "text")})
    return reach


STAYS = {"team-speech": ("1" * 64, False), "team-text": ("1" * 64, False)}


def test_a_good_version_takes_over_after_the_watch(pair, monkeypatch):
    stable, new, probe = pair
    reach = reaching(stable, new)
    monkeypatch.setattr("components.serve.release._promote", promoting_with(reach))
    with kserve() as (api, cluster):
        release(Rollout(cluster, where(percent=20), probe, reach), ServeSettings(), NEW)
        assert versions(api) == dict.fromkeys(STAYS, (probe.sha256, False))
        given = shares(api)
        assert 20 in given
        assert given[-1] == "-"


@pytest.fixture
def production(registered):
    """The store, its alias, which means the stable version, and both versions."""
    store, (stable, new) = registered
    alias = Alias(store.uri, "clsp", f"production-{secrets.token_hex(4)}")
    assert move_alias(store, "clsp", alias.label, stable.version, expected=None)
    return alias, stable, new


def arguments(api):
    """What each endpoint serves, and what canaries served, over time."""
    specs = [item["spec"] for kind, path, item in api.history if path == f"{SERVICES}/team-text"]
    canaries = {each["predictor"]["model"]["args"][0] for spec in specs for each in spec.get("canary", ())}
    return specs[-1]["predictor"]["model"]["args"][0], canaries


def test_endpoints_that_serve_an_alias_go_on_serving_it_and_it_moves(pair, production, monkeypatch):
    (stable, new, probe), (alias, _, version) = pair, production
    reach = reaching(stable, new)
    monkeypatch.setattr("components.serve.release._promote", promoting_with(reach))
    with kserve(served=alias.uri) as (api, cluster):
        told = release(Rollout(cluster, where(), probe, reach), ServeSettings(), pinned(version.uri))
        assert versions(api) == dict.fromkeys(STAYS, (probe.sha256, False))
        assert arguments(api) == (alias.uri, {version.uri})
    assert told == [alias]
    assert alias.current() == version.version
    with kserve(served=alias.uri) as (api, cluster), pytest.raises(ClusterError, match=r"means version .* already"):
        release(Rollout(cluster, where(), probe, reach), ServeSettings(), version.uri)
    assert versions(api) == STAYS


def test_an_alias_moves_back_with_a_version_that_does_not_take_over(pair, production):
    (stable, new, probe), (alias, before, version) = pair, production
    with kserve(served=alias.uri) as (api, cluster), pytest.raises(EndpointError, match="team-speech serves"):
        release(Rollout(cluster, where(), probe, reaching(stable, new)), ServeSettings(), version.uri)
    assert versions(api) == STAYS
    assert arguments(api)[0] == alias.uri
    assert alias.current() == before.version


def test_only_an_alias_of_the_same_model_in_the_same_store_is_followed():
    def of(uri):
        return of_model(inference_service(Endpoint("text", uri, "1" * 64, ServeSettings(), where())))

    wanted = "s3://b/p/models/clsp/v2"
    assert followed_alias(of("s3://b/p/models/clsp@production"), wanted) == Alias("s3://b/p", "clsp", "production")
    for other in ("s3://b/p/models/clsp/v1", "s3://b/q/models/clsp@production", "s3://b/p/models/other@production"):
        assert followed_alias(of(other), wanted) is None


def test_a_release_is_of_a_version_in_a_store(tmp_path, production):
    alias, stable, _ = production
    assert pinned(alias.uri) == stable.uri
    with pytest.raises(ClusterError, match="no version in a store"):
        pinned(str(tmp_path))


def promoting_with(reach):
    """The real promotion, after which Services lead to the new version."""
    real = release_module._promote

    def promote(*arguments):
        reach.promote()
        real(*arguments)

    return promote


def test_a_version_whose_vectors_are_not_its_own_goes_back(pair):
    stable, _, probe = pair
    with kserve() as (api, cluster), pytest.raises(EndpointError, match=r"rolled back from team-.*vectors differ"):
        release(Rollout(cluster, where(), probe, reaching(stable, stable)), ServeSettings(), NEW)
    assert versions(api) == STAYS


def test_a_version_that_does_not_answer_goes_back(pair):
    stable, _, probe = pair
    with kserve() as (api, cluster), pytest.raises(EndpointError, match="none of 3 calls was answered"):
        release(Rollout(cluster, where(), probe, reaching(stable, "http://127.0.0.1:9")), ServeSettings(), NEW)
    assert versions(api) == STAYS


def test_an_endpoint_of_a_plain_container_is_refused_because_kserve_would(pair):
    stable, new, probe = pair
    with kserve() as (api, cluster):
        plain = inference_service(Endpoint("speech", "s3://b/models/clsp/v1", "1" * 64, ServeSettings(), where()))
        api.put(f"{SERVICES}/team-speech", plain)
        with pytest.raises(ClusterError, match="plain container"):
            release(Rollout(cluster, where(), probe, reaching(stable, new)), ServeSettings(), NEW)
        assert versions(api) == STAYS


def test_an_older_kserve_is_refused_before_anything_changes(pair):
    stable, new, probe = pair
    with kserve(canary=False) as (api, cluster), pytest.raises(ClusterError, match=r"older than 0\.20") as caught:
        release(Rollout(cluster, where(), probe, reaching(stable, new)), ServeSettings(), NEW)
    assert "upgrade" in caught.value.hint
    assert versions(api) == STAYS
    assert not any(method == "PATCH" for method, _, _ in api.requests)


def test_without_a_stable_version_or_beside_another_canary_there_is_no_release(pair):
    stable, new, probe = pair
    with kserve(stable=False) as (_, cluster), pytest.raises(ClusterError, match="to release to"):
        release(Rollout(cluster, where(), probe, reaching(stable, new)), ServeSettings(), NEW)
    with kserve() as (api, cluster):
        item = api.objects[f"{SERVICES}/team-speech"]
        canary = [{"trafficPercent": 5, "predictor": {"name": "other", "annotations": {REVISION: "x"}}}]
        api.put(f"{SERVICES}/team-speech", {**item, "spec": {**item["spec"], "canary": canary}})
        with pytest.raises(ClusterError, match="already has a canary"):
            release(Rollout(cluster, where(), probe, reaching(stable, new)), ServeSettings(), NEW)


LIMITS = ReleaseWork(least_calls=10)


@pytest.mark.parametrize(
    ("canary", "stable", "over", "wrong"),
    [
        (Seen(seconds=[0.1] * 10), Seen(seconds=[0.1] * 10), True, ""),
        (Seen(seconds=[0.5] * 10), Seen(seconds=[0.1] * 10), False, "0.500 s, 0.100 s with the stable"),
        (Seen(seconds=[0.01] * 10), Seen(seconds=[0.001] * 10), False, ""),
        (Seen(failed=1, seconds=[0.1] * 9), Seen(seconds=[0.1] * 10), False, "10.0% of its calls fail"),
        (Seen(failed=1, seconds=[0.1] * 9), Seen(failed=1, seconds=[0.1] * 9), False, ""),
        (Seen(failed=1), Seen(seconds=[0.1]), False, ""),
        (Seen(failed=1), Seen(seconds=[0.1]), True, "none of 1 calls"),
        (
            Seen(seconds=[0.1] * 10, calls=100, faults=5),
            Seen(seconds=[0.1] * 10, calls=100),
            False,
            "5.0% of its calls",
        ),
        (Seen(seconds=[0.1], drift=0.1), Seen(), False, "vectors differ"),
        (Seen(seconds=[0.1], drift=np.inf), Seen(), False, "vectors differ"),
    ],
)
def test_what_sends_a_canary_back(canary, stable, over, wrong):
    told = what_is_wrong(canary, stable, LIMITS, over=over)
    assert wrong in told
    assert bool(wrong) == bool(told)


def test_calls_are_read_from_the_servers_own_counters():
    rows = [("ok", 90.0), ("bad_base64", 5.0), ("error", 3.0), ("internal", 2.0)]
    text = "".join(
        f'clsp_serving_requests_total{{outcome="{outcome}",route="embeddings"}} {count}\n' for outcome, count in rows
    )
    assert count_calls(text + "other_total 7\n") == (100.0, 5.0)


def test_the_plain_probe_is_passed_by_the_models_own_server(pair):
    _, new, probe = pair
    assert isinstance(probe, Probe)
    with EmbeddingClient(new) as client:
        probe.check_speech(client)
        probe.check_text(client)

"""A release under load: replicas follow what waits and come back, Prometheus sees it, and an alert tells when it dies.

One release with the chart's own ci/keda-values.yaml, its real image, a tiny model, KEDA and Prometheus; its tests go
from load to ruin, in the order of this file.
"""

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
import yaml

from clsp.config import ClusterSettings, RegisterSettings, ServeSettings, parse_settings
from components.kubernetes.client import Cluster as Looking
from components.kubernetes.objects import DEPLOYMENT, Ref
from components.register.main import run as register
from components.serve.endpoints import Endpoint, inference_service
from pipelines.doctor.records import Release as Records
from pipelines.doctor.records import Severity
from pipelines.doctor.services import check_prometheus
from serving.client import EmbeddingClient, audio_part
from tests.chart.rendering import CHART, helm, values_file
from tests.cluster.harness.access import Access
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.looking import looking
from tests.cluster.harness.waiting import until
from tests.cluster.load import anew
from tests.cluster.own_pods import SECRET, store_of
from tests.cluster.prometheus import NAME, PORT, Prometheus, quickened, start
from tests.cluster.tools.programs import PROMETHEUS
from tests.handovers import make_parents
from tests.tiny_model import encoded, tone

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

ENDPOINT = "clsp-speech"
SERVICE = f"{ENDPOINT}-predictor"
SERIES = 'job="clsp-endpoints",owner="clsp",tower="speech"'
OF_RUNS = 'job="clsp-endpoints",owner="clsp-runs",tower="text"'
CALLERS, SECONDS = 12, 20.0
ENOUGH = 60  # of these seconds of audio before one replica another is started
SIZE = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "2Gi"}}


@dataclass(frozen=True)
class Release:
    """What is installed, and where it is looked at.

    Attributes:
        model: URI of the version that it serves.
        helm: runs a verb of helm on it with values.
    """

    kubectl: Kubectl
    looks: Looking
    prometheus: Prometheus
    url: str
    model: str
    values: dict
    helm: Callable[..., None]

    def replicas(self) -> int:
        """Replicas that are ready."""
        found = self.looks.get(Ref(DEPLOYMENT, SERVICE))
        return int(found["status"].get("readyReplicas", 0)) if found else 0


def values(cluster: Access, namespace: str, version: str) -> dict:
    """ci/keda-values.yaml, in a size for this cluster, at the pace of a test."""
    chosen: dict = yaml.safe_load(values_file("keda").read_text())
    chosen["store"] |= {"bucket": cluster.store.bucket, "prefix": namespace, "secretName": SECRET}
    chosen["store"] |= {"endpoint": cluster.store.endpoint}
    serving = chosen["serving"]
    serving["model"] = {"uri": version}
    serving["speech"] = {"minReplicas": 1, "maxReplicas": 2, "resources": SIZE}
    serving["text"] = {"enabled": False}
    serving["startup"] = {"periodSeconds": 1, "failureThreshold": 300}
    serving["settings"] = {"threads": 1, "batch_seconds": SECONDS}
    serving["autoscaling"]["keda"] |= {
        "prometheusUrl": f"http://{NAME}.{namespace}.svc.cluster.local:{PORT}",
        "queuedAudioSeconds": ENOUGH,
        "scaleDownSeconds": 5,
    }
    chosen["monitoring"] = {"monitors": {"enabled": True, "interval": "1s"}, "rules": {"enabled": True}}
    return chosen | {"tests": {"enabled": False}}


@pytest.fixture(scope="module")
def release(cluster: Access, role_images, keda: None, prometheus: None, tmp_path_factory: pytest.TempPathFactory):
    """The release, its endpoint ready, and a Prometheus that watches it."""
    role_images("embedder")
    with cluster.fresh_namespace() as namespace, pytest.MonkeyPatch.context() as patch:
        kubectl = cluster.kubectl.within(namespace)
        store = store_of(cluster, namespace, patch)
        parents = make_parents(store, tmp_path_factory.mktemp("model"))
        register(store=store.uri, run_id="r", settings=RegisterSettings().model_dump_json(), **parents)
        where = ("--kubeconfig", str(cluster.kubeconfig), "-n", namespace)

        def run(verb: str, *arguments: str, **given: dict) -> None:
            done = helm(verb, "clsp", *arguments, *where, **given)
            assert done.returncode == 0, done.stderr

        chosen = values(cluster, namespace, "clsp@latest")
        run("install", str(CHART), values=chosen)
        monitors, rules = kubectl.get("podmonitors")["items"], kubectl.get("prometheusrules")["items"]
        start(cluster.kubectl, namespace, monitors, [quickened(rule) for rule in rules])
        kubectl.wait("condition=Ready", f"inferenceservice/{ENDPOINT}")
        with cluster.reach(namespace, NAME, PORT) as seen, cluster.reach(namespace, SERVICE, 80) as url:
            model = f"{store.uri}/models/clsp@latest"
            yield Release(kubectl, looking(kubectl), Prometheus(seen), url, model, chosen, run)
        run("uninstall")


@contextmanager
def load(url: str) -> Iterator[None]:
    """Callers that each send a clip, wait for its vector, and send it again."""
    part = audio_part(encoded(tone(SECONDS)))
    over = threading.Event()

    def call() -> None:
        while not over.is_set():
            try:
                anew(f"{url}/v1/embeddings", json={"input": [part]}, timeout=30)
            except httpx.HTTPError:
                over.wait(0.1)

    callers = [threading.Thread(target=call) for _ in range(CALLERS)]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        over.set()
        for caller in callers:
            caller.join()


def test_prometheus_scrapes_the_pods_and_takes_the_rules(release: Release) -> None:
    watched, of_a_run = release.prometheus, endpoint_of_a_run(release)
    release.kubectl.apply([inference_service(of_a_run)])
    until("the pod is scraped", lambda: watched.value(f"up{{{SERIES}}}") == 1.0, 60)
    with EmbeddingClient(release.url) as client:
        client.embed_audio([encoded(tone(1.0))])
        served = client.describe()
    (info,) = watched.query(f"clsp_serving_model_info{{{SERIES}}}")
    assert info["metric"]["sha256"] == served["sha256"]
    until("it counts", lambda: watched.value(f'clsp_serving_items_total{{{SERIES},kind="audio"}}') >= 1.0, 30)
    (found,) = check_prometheus(Records(prometheus=watched.url))
    assert (found.severity, found.says) == (Severity.OK, f"{watched.url}, version {PROMETHEUS}")
    rules = watched.rules()
    wanted = {one["name"] for one in rules if one["type"] == "alerting"}
    assert {"ClspSpeechEndpointDown", "ClspQueueLong", "ClspErrorBudgetBurnsFast"} <= wanted
    until("every rule was evaluated", lambda: {one["health"] for one in watched.rules()} == {"ok"}, 30)
    until("the endpoint of a run is scraped too", lambda: watched.value(f"up{{{OF_RUNS}}}") == 1.0, 120)
    release.kubectl("delete", "inferenceservice", of_a_run.name)


def endpoint_of_a_run(release: Release) -> Endpoint:
    """The text endpoint that the serve step makes by the release's own settings, in a size for this cluster."""
    given = yaml.safe_load(release.kubectl.get("configmap", "clsp-platform")["data"]["clsp.yaml"])["cluster"]
    size = {"gpus": 0, "cpu": "100m", "cpu_limit": "1", "memory": "256Mi", "memory_limit": "2Gi", "shm": "64Mi"}
    where = parse_settings(ClusterSettings, {**given, "serve": {"pool": "cpu", "size": size}})
    return Endpoint("text", release.model, "0" * 64, ServeSettings(threads=1), where)


def test_replicas_follow_the_seconds_of_audio_that_wait(release: Release) -> None:
    kubectl = release.kubectl
    kubectl.wait("condition=Ready", f"scaledobject/{SERVICE}")
    assert release.replicas() == 1
    with load(release.url):
        until("a second replica is ready", lambda: release.replicas() == 2, 180)
        queued = f"sum(clsp_serving_queued_audio_seconds{{{SERIES}}})"  # a scrape may have failed just now
        until("what called for it is seen", lambda: release.prometheus.value(queued) > ENOUGH, 30)
    kubectl.wait("jsonpath={.spec.replicas}=1", f"deployment/{SERVICE}", timeout=120)


def test_replicas_follow_the_cpu(release: Release) -> None:
    """The same release without KEDA: a HorizontalPodAutoscaler on what metrics-server measures."""
    changed = copy.deepcopy(release.values)
    changed["serving"]["autoscaling"] = {"hpa": {"enabled": True, "cpuPercent": 50}}
    release.helm("upgrade", str(CHART), values=changed)
    kubectl = release.kubectl
    kubectl("delete", "scaledobjects", "--selector", "app.kubernetes.io/instance=clsp")  # as UPGRADE.md says
    kubectl("wait", "--for=create", f"hpa/{SERVICE}", "--timeout=60s")
    with load(release.url):
        until("a second replica is ready", lambda: release.replicas() == 2, 180)
    (metric,) = kubectl.get("hpa", SERVICE)["spec"]["metrics"]
    assert metric["resource"]["name"] == "cpu"


def test_an_endpoint_that_dies_is_told(release: Release) -> None:
    """Its credentials are taken away and its pod with them: the next one cannot load the model."""
    kubectl = release.kubectl
    kubectl("patch", "secret", SECRET, "--type=merge", "-p", '{"stringData": {"AWS_SECRET_ACCESS_KEY": "wrong"}}')
    kubectl("delete", "pods", "-l", "app.kubernetes.io/component=speech", "--wait=false", "--grace-period=1")

    def firing() -> dict:
        return {
            alert["labels"]["severity"]: alert
            for rule in release.prometheus.rules()
            if rule["name"] == "ClspSpeechEndpointDown"
            for alert in rule["alerts"]
            if alert["state"] == "firing"
        }

    alerts = until("the alert fires", firing, 120)
    assert alerts["page"]["labels"]["release"] == "clsp"
    assert "describe inferenceservice clsp-speech" in alerts["page"]["annotations"]["runbook"]

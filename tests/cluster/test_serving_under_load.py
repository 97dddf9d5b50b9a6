"""The chart's endpoints under load, on two nodes: releases, more replicas and fewer, a drained node. No request fails.

One release of the chart with its real image, which serves an alias; its tests follow each other in the order of this
file. The callers repeat nothing (see load.py).
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from clsp.config import ClusterSettings, ServeSettings
from clsp.errors import EndpointError
from clsp.records import ModelVersion
from clsp.registry import move_alias, publish
from components.kubernetes.client import Cluster as Looking
from components.kubernetes.client import connect
from components.kubernetes.objects import POD
from components.serve.probe import Probe, plain_probe
from components.serve.release import Rollout, release
from tests.chart.rendering import CHART, helm
from tests.cluster.harness.access import Access
from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.looking import looking
from tests.cluster.harness.node import Node
from tests.cluster.harness.waiting import until
from tests.cluster.load import Asked, load
from tests.cluster.nodes import drain, uncordoned
from tests.cluster.own_pods import SECRET, store_of
from tests.cluster.tools.build import binary
from tests.tiny_model import write_tiny_model

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

SERVICE = "clsp-text-predictor"
SIZE = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"cpu": "1", "memory": "2Gi"}}
WATCH = {"watch_seconds": 5, "tick_seconds": 0.5, "least_calls": 5, "latency_ratio": 20.0}
SERVE = {"answer_seconds": 120, "release": WATCH}


@dataclass(frozen=True)
class Installed:
    """The release: two versions of its model, of which its alias means the first; ``upgrade`` changes values."""

    cluster: Access
    namespace: str
    versions: tuple[ModelVersion, ModelVersion]
    upgrade: Callable[..., None]
    looks: Looking

    @property
    def kubectl(self) -> Kubectl:
        """Of its namespace."""
        return self.cluster.kubectl.within(self.namespace)

    @contextmanager
    def reach(self, service: str) -> Iterator[str]:
        """URL of a Service of it."""
        with self.cluster.reach(self.namespace, service, 80) as url:
            yield url

    @contextmanager
    def asked(self) -> Iterator[Asked]:
        """Callers of the text endpoint while in the block, none of whom may have failed."""
        with self.reach(SERVICE) as url, load(url) as asked:
            yield asked
        assert asked.failures == []

    def nodes(self) -> list[str]:
        """Node of each replica of the text endpoint that is ready; of one that leaves, ''."""
        found = self.looks.find(POD, "app.kubernetes.io/component=text")
        return sorted("" if "deletionTimestamp" in pod["metadata"] else node_of(pod) for pod in found)


def node_of(pod: dict) -> str:
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
    return pod["spec"]["nodeName"] if ready else "not ready"


def chosen(cluster: Access, namespace: str) -> dict:
    """Values for a cluster of this size."""
    return {
        "store": {
            "bucket": cluster.store.bucket,
            "prefix": namespace,
            "secretName": SECRET,
            "endpoint": cluster.store.endpoint,
        },
        "serving": {
            "model": {"uri": "clsp@production"},
            "settings": {"threads": 1},
            "speech": {"resources": SIZE},
            "text": {"resources": SIZE, "maxReplicas": 3},
            "startup": {"periodSeconds": 1, "failureThreshold": 300},
        },
        "tests": {"enabled": False},
    }


@pytest.fixture(scope="module")
def installed(cluster: Access, second_node: Node, role_images, tmp_path_factory) -> Iterator[Installed]:
    """The release, both endpoints ready."""
    role_images("embedder")
    folder = tmp_path_factory.mktemp("models")
    with cluster.fresh_namespace() as namespace, pytest.MonkeyPatch.context() as patch:
        store = store_of(cluster, namespace, patch)
        first, second = (
            publish(store, "clsp", write_tiny_model(folder / mark, seed), licences={}, manifests={"model": mark})
            for seed, mark in enumerate(("one", "two"))
        )
        move_alias(store, "clsp", "production", first.version, expected=None)
        where = ("--kubeconfig", str(cluster.kubeconfig), "-n", namespace)

        def run(verb: str, *arguments: str, **given: dict) -> None:
            done = helm(verb, "clsp", *arguments, *where, **given)
            assert done.returncode == 0, done.stderr

        run("install", str(CHART), values=chosen(cluster, namespace))
        kubectl = cluster.kubectl.within(namespace)
        for tower in ("speech", "text"):
            kubectl.wait("condition=Ready", f"inferenceservice/clsp-{tower}", timeout=600)

        def upgrade(**text: object) -> None:
            run("upgrade", str(CHART), "--reuse-values", values={"serving": {"text": text}})

        yield Installed(cluster, namespace, (first, second), upgrade, looking(kubectl))
        run("uninstall")


def served(installed: Installed) -> set[str]:
    """Versions that the endpoints say they serve, where no canary is left."""
    items = installed.kubectl.get("inferenceservices")["items"]
    return {
        item["spec"]["predictor"]["annotations"].get("clsp/version", "")
        for item in items
        if "canary" not in item["spec"]
    }


def test_a_bad_version_goes_back(installed: Installed) -> None:
    first, second = installed.versions
    where = ClusterSettings.model_validate({"enabled": True, "release": "clsp", "serve": SERVE})
    good = plain_probe(second.uri, ServeSettings(threads=1))
    bad = Probe(good.version, good.sha256, good.text, good.sound, good.expected[::-1])
    rollout = Rollout(connect(installed.namespace), where, bad, installed.reach)
    with installed.asked() as asked:
        with pytest.raises(EndpointError, match=r"rolled back from .*vectors differ"):
            release(rollout, ServeSettings(threads=1), second.uri)
        assert served(installed) == {""}
    assert set(asked.answers) == {first.version}


def test_a_good_version_takes_over_by_the_command(installed: Installed, tmp_path: Path) -> None:
    _, second = installed.versions
    config = tmp_path / "clsp.yaml"
    config.write_text(yaml.safe_dump({"cluster": {"enabled": True, "release": "clsp", "serve": SERVE}}))
    command = [sys.executable, "-m", "pipelines.cli", "release", second.uri, "--config", str(config)]
    path = f"{binary('kubectl').parent}:{os.environ['PATH']}"
    with installed.asked() as asked:
        done = subprocess.run(
            [*command, "--namespace", installed.namespace],
            env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "clsp@production means it from now on" in done.stdout
        assert served(installed) == {second.sha256}
        asked.answers.clear()
        until("it answers", lambda: asked.answers[second.version], 60)
    assert set(asked.answers) == {second.version}


def test_replicas_come_and_go_and_a_node_is_drained(installed: Installed, second_node: Node) -> None:
    away = f"node-{second_node.number}"
    with installed.asked() as asked, uncordoned(installed.cluster.kubectl, away):
        installed.upgrade(minReplicas=3)
        until(
            "three replicas are ready",
            lambda: len(installed.nodes()) == 3 and "not ready" not in installed.nodes(),
            300,
        )
        assert set(installed.nodes()) == {"node-1", away}, "replicas are spread over the nodes"
        assert drain(installed.cluster.kubectl, away) > 0
        until("all are on the node that is left", lambda: installed.nodes() == ["node-1"] * 3, 300)
        installed.upgrade(minReplicas=1)
        until("one is left", lambda: installed.nodes() == ["node-1"], 120)
    assert set(asked.answers) == {installed.versions[1].version}, "an upgrade of the chart leaves what was released"

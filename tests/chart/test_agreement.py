"""What the chart allows and watches is what the code starts: permissions, policies and monitors agree with it."""

from typing import Any

import pytest
import yaml

from clsp.config import ClusterSettings, ServeSettings, parse_settings
from components.captioning import job as captioning
from components.kubernetes import objects, pods
from components.kubernetes.objects import Kind
from components.serve.endpoints import Endpoint, inference_service
from components.train.cluster import backends, submission
from tests.chart.rendering import find, render_shape

# What components/kubernetes/client.py asks of any object that a step owns.
_OWNS = {"create", "delete", "get", "list", "patch", "watch"}
_KINDS = sorted(
    {
        (item.api_version.rpartition("/")[0], f"{item.name.lower()}s")
        for module in (objects, backends)
        for item in vars(module).values()
        if isinstance(item, Kind)
    }
)


def _allowed(role: dict[str, Any], group: str, resource: str) -> set[str]:
    rules = [rule for rule in role["rules"] if group in rule["apiGroups"] and resource in rule["resources"]]
    return {verb for rule in rules for verb in rule["verbs"]}


@pytest.mark.parametrize(("group", "resource"), _KINDS)
def test_steps_may_do_what_they_do(group: str, resource: str) -> None:
    wanted = {"pods": {"get", "list", "watch"}, "configmaps": {"get"}}.get(resource, _OWNS)
    assert _allowed(find(render_shape("a100"), "Role", "-steps"), group, resource) >= wanted


def test_doctor_changes_nothing() -> None:
    for rule in find(render_shape("locked-down"), "Role", "-doctor")["rules"]:
        reviews = rule["apiGroups"] == ["authorization.k8s.io"]
        assert set(rule["verbs"]) <= ({"create"} if reviews else {"get", "list", "watch"})


def _components(policy: dict[str, Any]) -> set[str]:
    return {value for one in policy["spec"]["podSelector"]["matchExpressions"] for value in one["values"]}


def test_policies_select_the_pods_that_steps_start() -> None:
    rendered = render_shape("a100")
    labels = objects.labels_of(submission.WORKERS, "x")
    deny = find(rendered, "NetworkPolicy", "-store")["spec"]["podSelector"]["matchLabels"]
    assert deny.items() <= labels.items()
    assert _components(find(rendered, "NetworkPolicy", "-training")) == {submission.WORKERS, submission.RENDEZVOUS}
    assert {"annotate", "verify", "steps"} <= _components(find(rendered, "NetworkPolicy", "-services"))


def test_monitors_scrape_the_ports_that_pods_name() -> None:
    rendered = render_shape("a100")
    ports = {one["port"] for one in find(rendered, "PodMonitor", "-work")["spec"]["podMetricsEndpoints"]}
    assert ports == {pods.METRICS_PORTS[0]["name"], "engine"}
    allowed = find(rendered, "NetworkPolicy", "-metrics")["spec"]["ingress"][0]["ports"]
    assert {one["port"] for one in allowed} == {8080, pods.METRICS_PORT, captioning.ENGINE_PORT}


def test_monitors_and_policies_take_in_the_endpoints_of_runs() -> None:
    rendered = render_shape("a100")
    flow = yaml.safe_load(find(rendered, "ConfigMap", "-platform")["data"]["clsp.yaml"])
    cluster = parse_settings(ClusterSettings, flow["cluster"])
    endpoint = Endpoint("speech", "s3://speech/models/clsp/v1", "0" * 64, ServeSettings(), cluster)
    predictor = inference_service(endpoint)["spec"]["predictor"]
    monitor = find(rendered, "PodMonitor", "-endpoints")["spec"]
    assert _selects(monitor["selector"], predictor["labels"])
    policy = find(rendered, "NetworkPolicy", "-metrics")["spec"]
    assert _selects(policy["podSelector"], predictor["labels"])
    ports = {port["name"]: port["containerPort"] for port in predictor["containers"][0]["ports"]}
    scraped = {ports[one["port"]] for one in monitor["podMetricsEndpoints"]}
    assert scraped <= {port["port"] for port in policy["ingress"][0]["ports"]}
    assert not _selects(monitor["selector"], {**predictor["labels"], "app.kubernetes.io/instance": "other-runs"})


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    named = selector.get("matchLabels", {}).items() <= labels.items()
    return named and all(labels[one["key"]] in one["values"] for one in selector.get("matchExpressions", ()))

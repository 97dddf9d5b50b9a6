"""Every shape of ci/ lints, renders to objects that Kubernetes takes, and keeps the platform's rules."""

from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, SHAPES, find, helm, pods, render, render_shape, values_file
from tests.chart.restricted import shortcomings, violations

_CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}


@pytest.mark.parametrize("shape", SHAPES)
def test_helm_lint_is_content(shape: str) -> None:
    result = helm("lint", "--strict", str(CHART), "-f", str(values_file(shape)))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "[WARNING]" not in result.stdout


@pytest.mark.parametrize("shape", SHAPES)
def test_every_pod_is_restricted(shape: str) -> None:
    specs = dict(pods(render_shape(shape)))
    assert specs, "the shape has no pod at all"
    assert {name: violations(spec) for name, spec in specs.items() if violations(spec)} == {}
    assert {name: shortcomings(spec) for name, spec in specs.items() if shortcomings(spec)} == {}


def test_the_restricted_check_can_fail() -> None:
    spec: dict[str, Any] = {
        "hostNetwork": True,
        "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
        "containers": [{"name": "bad", "image": "x", "securityContext": {"privileged": True, "runAsUser": 0}}],
    }
    assert len(violations(spec)) == 8
    assert len(shortcomings(spec)) == 8


@pytest.mark.parametrize("shape", SHAPES)
def test_no_rule_has_a_wildcard_and_none_reads_secrets(shape: str) -> None:
    roles = [item for item in render_shape(shape) if item["kind"] in {"Role", "ClusterRole"}]
    assert roles
    for role in roles:
        for rule in role["rules"]:
            assert "*" not in rule["apiGroups"] + rule["resources"] + rule["verbs"], role["metadata"]["name"]
            assert "secrets" not in rule["resources"]


@pytest.mark.parametrize("shape", SHAPES)
def test_objects_belong_to_their_release_alone(shape: str) -> None:
    one, other = render_shape(shape, "clsp", "team-a"), render_shape(shape, "clsp", "team-b")
    names = [
        {(item["kind"], item["metadata"]["name"]) for item in set_ if item["kind"] in _CLUSTER_WIDE}
        for set_ in (one, other)
    ]
    assert not names[0] & names[1], "two releases share an object that is in no namespace"
    for item in one:
        if item["kind"] not in _CLUSTER_WIDE:
            assert item["metadata"].get("namespace", "team-a") == "team-a"
    assert "team-b" not in str(one)


def test_two_releases_of_one_namespace_share_no_object() -> None:
    names = [
        {(item["kind"], item["metadata"]["name"]) for item in render_shape("a100", release, "speech")}
        for release in ("one", "two")
    ]
    assert not names[0] & names[1]


def test_long_release_names_stay_within_what_kserve_can_append_to() -> None:
    objects = render_shape("ha", release="a-release-name-that-is-as-long-as-helm-takes-it-53")
    for item in objects:
        assert len(item["metadata"]["name"]) <= 63
    endpoint = find(objects, "InferenceService", "-speech")
    assert len(f"{endpoint['metadata']['name']}-canary-predictor") <= 63


@pytest.mark.parametrize("shape", SHAPES)
def test_rendering_is_stable(shape: str) -> None:
    values = yaml.safe_load(values_file(shape).read_text())
    assert render(values) == render(values)


@pytest.mark.parametrize("shape", SHAPES)
def test_common_labels_and_no_credentials(shape: str) -> None:
    for item in render_shape(shape):
        labels = item["metadata"].get("labels", {})
        if item["kind"] != "ResourceQuota":  # the shape's own extra object
            assert labels["app.kubernetes.io/instance"] == "clsp", item["metadata"]["name"]
        assert item["kind"] != "Secret"


def test_defaults_alone_install_something_harmless() -> None:
    kinds = {item["kind"] for item in render({})}
    assert kinds == {"ConfigMap", "ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "Pod"}


def test_an_older_kubernetes_is_refused() -> None:
    result = helm("template", "clsp", str(CHART), "--kube-version", "1.28.0", values={})
    assert "kubeVersion" in result.stderr
    assert result.returncode != 0

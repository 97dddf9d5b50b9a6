"""A Prometheus beside what it watches, configured by the chart's own PodMonitors and PrometheusRules.

The Prometheus operator makes a configuration of those objects; ``scrape_configs`` does as it does, for the fields that
the chart uses, and refuses others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import yaml

from tests.cluster.harness.kubectl import Kubectl
from tests.cluster.harness.operators.prometheus import IMAGE, PROGRAM
from tests.cluster.pods import container, deployment, pod_spec, service

Object = dict[str, Any]
NAME, PORT = "prometheus", 9090
_SPEC = {"selector", "podTargetLabels", "podMetricsEndpoints"}
_ENDPOINT = {"port", "path", "interval", "relabelings"}
_NAMES = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
_PLACE = "__meta_kubernetes_pod"


def scrape_configs(monitor: Object) -> Iterator[Object]:
    """A scrape of each endpoint of a PodMonitor, in its namespace."""
    spec, meta = monitor["spec"], monitor["metadata"]
    assert set(spec) <= _SPEC, "a field of PodMonitor that is not read here"
    for number, endpoint in enumerate(spec["podMetricsEndpoints"]):
        assert set(endpoint) <= _ENDPOINT, "a field of an endpoint that is not read here"
        yield {
            "job_name": f"podMonitor/{meta['namespace']}/{meta['name']}/{number}",
            "metrics_path": endpoint["path"],
            "scrape_interval": endpoint["interval"],
            "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [meta["namespace"]]}}],
            "relabel_configs": [
                *_selected(spec["selector"]),
                {"source_labels": [f"{_PLACE}_container_port_name"], "regex": endpoint["port"], "action": "keep"},
                {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
                {"source_labels": [f"{_PLACE}_name"], "target_label": "pod"},
                {"source_labels": [f"{_PLACE}_container_name"], "target_label": "container"},
                *_copied(spec["podTargetLabels"]),
                *({_NAMES.get(key, key): value for key, value in one.items()} for one in endpoint["relabelings"]),
            ],
        }


def _selected(selector: Object) -> Iterator[Object]:
    for label, value in selector.get("matchLabels", {}).items():
        yield {"source_labels": [f"{_PLACE}_label_{_safe(label)}"], "regex": value, "action": "keep"}
    for one in selector.get("matchExpressions", []):
        action = {"In": "keep", "NotIn": "drop"}[one["operator"]]
        values = "|".join(one["values"])
        yield {"source_labels": [f"{_PLACE}_label_{_safe(one['key'])}"], "regex": values, "action": action}


def _copied(labels: list[str]) -> Iterator[Object]:
    for label in labels:
        source = f"{_PLACE}_label_{_safe(label)}"
        yield {"source_labels": [source], "regex": "(.+)", "target_label": _safe(label), "replacement": "$1"}


def _safe(label: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in label)


def server(namespace: str, monitors: list[Object], rules: list[Object], *, seconds: int = 1) -> list[Object]:
    """Objects of a Prometheus that scrapes what the monitors say and evaluates the rules every few seconds."""
    scrapes = [scrape for monitor in monitors for scrape in scrape_configs(monitor)]
    main = {
        "global": {"evaluation_interval": f"{seconds}s"},
        "rule_files": ["/etc/prometheus/rules.yml"],
        "scrape_configs": scrapes,
    }
    groups = [group for rule in rules for group in rule["spec"]["groups"]]
    files = {"prometheus.yml": yaml.safe_dump(main), "rules.yml": yaml.safe_dump({"groups": groups})}
    named = {"metadata": {"name": NAME}}
    rbac = "rbac.authorization.k8s.io"
    reads = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", **named, "data": files},
        {"apiVersion": "v1", "kind": "ServiceAccount", **named},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", **named, "rules": [reads]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            **named,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": NAME},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        },
        deployment(NAME, 1, _pod()),
        service(NAME, PORT, PORT),
    ]


def _pod() -> Object:
    mounts = [{"name": "data", "mountPath": "/data"}, {"name": "settings", "mountPath": "/etc/prometheus"}]
    run = container(
        IMAGE,
        PROGRAM,
        "--config.file=/etc/prometheus/prometheus.yml",
        "--storage.tsdb.path=/data",
        name=NAME,
        resources={"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        readinessProbe={"httpGet": {"path": "/-/ready", "port": PORT}, "periodSeconds": 1},
        volumeMounts=mounts,
    )
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "settings", "configMap": {"name": NAME}}]
    return pod_spec(run, serviceAccountName=NAME, automountServiceAccountToken=True, volumes=volumes)


@dataclass(frozen=True)
class Prometheus:
    """A server that runs, at its URL for this machine."""

    url: str

    def query(self, expression: str) -> list[Object]:
        """The vector of an expression now: a list of ``metric`` and ``value``."""
        found: list[Object] = self._data("query", query=expression)["result"]
        return found

    def value(self, expression: str) -> float:
        """The one number of an expression; raises LookupError when there is none or more than one."""
        found = self.query(expression)
        if len(found) != 1:
            raise LookupError(f"{expression} gives {len(found)} series")
        return float(found[0]["value"][1])

    def rules(self) -> list[Object]:
        """Every rule with its health and its alerts."""
        return [rule for group in self._data("rules")["groups"] for rule in group["rules"]]

    def _data(self, path: str, **query: str) -> Object:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=query, timeout=10, trust_env=False, verify=False)
        data: Object = answer.raise_for_status().json()["data"]
        return data


def quickened(rule: Object) -> Object:
    """The rules with the alerts' minutes made seconds: nothing else of them is changed."""
    for group in rule["spec"]["groups"]:
        for one in group["rules"]:
            if "for" in one:
                one["for"] = one["for"].replace("m", "s")
    return rule


def start(kubectl: Kubectl, namespace: str, monitors: list[Object], rules: list[Object]) -> None:
    """Run one in the namespace, and wait until it is ready."""
    inside = kubectl.within(namespace)
    inside.apply(server(namespace, monitors, rules))
    inside.wait("condition=Available", f"deployment/{NAME}")

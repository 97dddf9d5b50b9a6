"""Every alert fires on series that should make it fire, stays quiet on others, and reads metrics that exist."""

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.alert_cases import CASES, Series
from tests.chart.promql import UPSTREAM, exported, metrics_of
from tests.chart.rendering import find, render

EVERYTHING: dict[str, Any] = {
    "store": {"bucket": "speech", "secretName": "clsp-store"},
    "kueue": {"enabled": True, "queue": "clsp", "clusterQueue": "gpus"},
    "serving": {
        "model": {"uri": "clsp@latest"},
        "kserve": {"version": "0.20.0"},
        "canary": {"enabled": True, "uri": "clsp/v3"},
    },
    "kfp": {"endpoint": "http://ml-pipeline:8888"},
    "schedules": {
        "enabled": True,
        "entries": [{"name": "nightly", "flow": "full", "cron": "0 0 2 * * *", "alertHours": 26}],
    },
    "monitoring": {"rules": {"enabled": True}},
}


@cache
def _groups() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = find(render(EVERYTHING), "PrometheusRule")["spec"]["groups"]
    return groups


def _rules() -> list[dict[str, Any]]:
    return [rule for group in _groups() for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in _rules() if "alert" in rule}


def _groups_of(alert: str) -> list[dict[str, Any]]:
    """The alert and the recorded series that it reads: promtool evaluates all that it is given, minute by minute."""
    recorded = {rule["record"]: rule for rule in _rules() if "record" in rule}
    wanted = [ALERTS[alert]]
    for rule in wanted:
        wanted += [
            recorded[name] for name in metrics_of(rule["expr"]) & recorded.keys() if recorded[name] not in wanted
        ]
    groups = [{**group, "rules": [rule for rule in group["rules"] if rule in wanted]} for group in _groups()]
    return [group for group in groups if group["rules"]]


def _firing(folder: Path, alert: str, series: Series, minutes: int) -> bool:
    """Whether promtool sees the alert firing; anything else that it complains about is an error."""
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": _groups_of(alert)}))
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"alertname": alert, "eval_time": f"{minutes}m", "exp_alerts": []}],
    }
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(document))
    result = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    said = result.stdout + result.stderr
    assert ("SUCCESS" in said) != (f"alertname: {alert}" in said), said
    return "SUCCESS" not in said


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_fires_when_it_should_and_only_then(tmp_path: Path, alert: str) -> None:
    case = CASES[alert]
    assert _firing(tmp_path, alert, case.fires, case.minutes)
    assert not _firing(tmp_path, alert, case.quiet, case.minutes)


def test_every_alert_has_a_case_and_every_case_an_alert() -> None:
    assert set(CASES) == set(ALERTS)


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_says_what_it_is_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert len(rule["annotations"]["summary"]) > 20
    assert len(rule["annotations"]["runbook"]) > 30


def test_rules_read_metrics_that_exist() -> None:
    recorded = {rule["record"] for rule in _rules() if "record" in rule}
    for rule in _rules():
        unknown = metrics_of(rule["expr"]) - exported() - UPSTREAM - recorded
        assert not unknown, f"{rule.get('alert', rule.get('record'))} reads {unknown}"


def test_alerts_hold_the_release_alone() -> None:
    other = find(render(EVERYTHING, namespace="other"), "PrometheusRule")["spec"]["groups"]
    for group in other:
        for rule in group["rules"]:
            assert "speech-" not in rule["expr"]
            if "clsp_serving" in rule["expr"]:
                assert 'namespace="other"' in rule["expr"]


def test_thresholds_come_from_values() -> None:
    values = {**EVERYTHING, "monitoring": {"rules": {"enabled": True, "thresholds": {"forwardSeconds": 7.5}}}}
    rules = find(render(values), "PrometheusRule")["spec"]["groups"][1]["rules"]
    assert next(rule for rule in rules if rule["alert"] == "ClspForwardSlow")["expr"].endswith("> 7.5")


def test_an_alert_can_be_left_out_and_a_runbook_linked() -> None:
    monitoring = {"rules": {"enabled": True, "disabled": ["ClspGpuXid"], "runbookUrl": "https://wiki.example/"}}
    groups = find(render({**EVERYTHING, "monitoring": monitoring}), "PrometheusRule")["spec"]["groups"]
    rules = {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}
    assert set(ALERTS) - set(rules) == {"ClspGpuXid"}
    assert rules["ClspQueueLong"]["annotations"]["runbook_url"] == "https://wiki.example/clspqueuelong"


def test_metrics_are_read_from_a_query() -> None:
    query = 'sum by (a, b) (rate(clsp_x_total{c="d_e",f=~"g"}[5m])) / on (h) avg(vllm:y) > 2 * clsp:z_ratio5m and i'
    assert metrics_of(query) == {"clsp_x_total", "vllm:y", "clsp:z_ratio5m", "i"}

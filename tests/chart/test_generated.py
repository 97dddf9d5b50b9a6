"""What is generated for the chart is up to date, complete and refuses what it does not know."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import clsp
from clsp.config import ClusterSettings, Config, ServeSettings, parse_settings
from clsp.config.schedules import Schedules
from clsp.errors import ConfigError
from components import images
from pipelines.chart.__main__ import generated
from pipelines.chart.documents import read_values
from pipelines.chart.schema import DECIDED_BY_CHART
from tests.chart.rendering import CHART, SHAPES, find, refusal, render, render_shape, values_file

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())


def test_generated_files_are_up_to_date() -> None:
    stale = [path.name for path, text in generated(CHART).items() if path.read_text() != text]
    assert stale == [], "run make chart"


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_satisfy_the_schema(shape: str) -> None:
    jsonschema.validate(yaml.safe_load(values_file(shape).read_text()), SCHEMA)


def _objects(schema: dict[str, Any], path: str = "") -> list[tuple[str, dict[str, Any]]]:
    found = [(path, schema)]
    for name, item in schema.get("properties", {}).items():
        found += _objects(item, f"{path}.{name}")
    if isinstance(schema.get("additionalProperties"), dict):
        found += _objects(schema["additionalProperties"], f"{path}.NAME")
    return found


def test_every_key_is_typed_described_and_has_an_example() -> None:
    for path, item in _objects(SCHEMA):
        if "examples" in item and path.split(".")[-1] != "NAME":
            jsonschema.validate(item["examples"][0], item)
        if path and ".settings." not in path and path != ".global" and not path.endswith(".NAME"):
            assert item["description"], path
            assert item["examples"], path


def test_every_mapping_says_whether_it_is_closed() -> None:
    for path, item in _objects(SCHEMA):
        if item.get("type") == "object" and path != ".global":
            assert "additionalProperties" in item, path


@given(st.sampled_from([path for path, item in _objects(SCHEMA) if item.get("additionalProperties") is False]))
def test_unknown_keys_are_refused_everywhere(path: str) -> None:
    value: Any = {"no-such-key": 1}
    for name in reversed([part for part in path.split(".") if part]):
        value = {name: value}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(value, SCHEMA)


def test_helm_refuses_an_unknown_key() -> None:
    assert "modle" in refusal({"serving": {"modle": {}}})


def test_settings_of_the_chart_are_those_of_the_code() -> None:
    serving = SCHEMA["properties"]["serving"]["properties"]
    expected = set(ServeSettings.model_fields) - DECIDED_BY_CHART
    for place in (serving, serving["speech"]["properties"], serving["text"]["properties"]):
        assert set(place["settings"]["properties"]) == expected
    assert set(SCHEMA["properties"]["flow"]["properties"]["settings"]["properties"]) == set(Config.model_fields)


def test_images_of_the_chart_are_those_of_the_code() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == clsp.__version__
    for role, image in (
        ("step", images.STEP_IMAGE),
        ("trainer", images.TRAINER_IMAGE),
        ("embedder", images.EMBEDDER_IMAGE),
    ):
        assert f"{VALUES['images'][role]['repository']}:{clsp.__version__}" == image


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("key: 1\n", "no description"),
        ("# A key.\nkey: ''\n", "no example"),
        ("# A key.\n# @exmaple 3\nkey: 1\n", "unknown marker"),
        ("- 1\n", "no mapping"),
    ],
)
def test_undocumented_values_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "values.yaml").write_text(text)
    with pytest.raises(ConfigError, match=problem):
        read_values(tmp_path / "values.yaml")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_flow_settings_of_a_release_are_a_configuration(shape: str) -> None:
    data = find(render_shape(shape), "ConfigMap", "-platform")["data"]
    config = parse_settings(Config, yaml.safe_load(data["clsp.yaml"]))
    assert config.cluster.enabled
    assert config.cluster.namespace == "speech"
    assert config.kfp.service_account == "clsp-steps"
    placement = yaml.safe_load(data["platform.yaml"])["placement"]
    assert config.cluster.train.pool == placement["train"]


def test_the_schedules_of_a_release_are_declared_as_the_command_reads_them() -> None:
    data = find(render_shape("a100"), "ConfigMap", "-schedules")["data"]
    declared = parse_settings(Schedules, yaml.safe_load(data["schedules.yaml"]))
    assert declared.owner == "speech/clsp"
    assert [(one.name, one.paused, one.max_concurrency) for one in declared.schedules] == [
        ("nightly", False, 1),
        ("weekly-training", True, 1),
    ]
    nothing = parse_settings(Schedules, yaml.safe_load(data["none.yaml"]))
    assert (nothing.owner, nothing.schedules) == (declared.owner, ())


def test_the_serve_step_never_makes_endpoints_that_the_chart_owns() -> None:
    released = {}
    for shape in ("minimal", "dev-cpu"):
        objects = render_shape(shape)
        owned = {item["metadata"]["name"] for item in objects if item["kind"] == "InferenceService"}
        config = parse_settings(Config, yaml.safe_load(find(objects, "ConfigMap", "-platform")["data"]["clsp.yaml"]))
        released[shape] = config.cluster.release
        assert not owned & {f"{config.cluster.release}-{tower}" for tower in ("speech", "text")}
    assert released == {"minimal": "clsp-runs", "dev-cpu": "clsp-runs"}


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        ("minimal", {}),  # AWS's own: a key AWS_ENDPOINT_URL of the Secret still counts
        ("dev-cpu", {"AWS_ENDPOINT_URL": "http://minio.minio.svc.cluster.local:9000"}),
        ("locked-down", {"AWS_ENDPOINT_URL": "https://s3.eu-central-1.amazonaws.com", "AWS_REGION": "eu-central-1"}),
    ],
)
def test_runs_find_the_store_of_the_release(shape: str, place: dict[str, str]) -> None:
    data = find(render_shape(shape), "ConfigMap", "-platform")["data"]
    assert parse_settings(Config, yaml.safe_load(data["clsp.yaml"])).cluster.environment == place


def test_pools_of_the_chart_are_those_of_the_code() -> None:
    data = find(render({}), "ConfigMap", "-platform")["data"]
    assert parse_settings(Config, yaml.safe_load(data["clsp.yaml"])).cluster.pools == ClusterSettings().pools


def test_the_serving_settings_of_a_release_are_a_configuration() -> None:
    objects = render_shape("a100")
    model = find(objects, "InferenceService", "-speech")["spec"]["predictor"]["model"]
    settings = parse_settings(ServeSettings, model["args"][-1])
    assert (settings.host, settings.port, settings.device, settings.dtype) == ("0.0.0.0", 8080, "cuda", "bfloat16")
    grace = find(objects, "InferenceService", "-speech")["spec"]["predictor"]["terminationGracePeriodSeconds"]
    assert settings.drain_seconds > 0
    assert settings.drain_seconds + settings.grace_seconds < grace

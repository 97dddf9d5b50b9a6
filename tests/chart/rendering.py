"""Renders the chart with helm and gives the objects as plain mappings."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.tools.build import binary

CHART = Path(__file__).parents[2] / "charts/clsp-platform"
SHAPES = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
WORKLOADS = {"Job", "Pod", "Deployment"}
Object = dict[str, Any]


def values_file(shape: str) -> Path:
    """The values file of a shape."""
    return CHART / f"ci/{shape}-values.yaml"


def helm(*arguments: str, values: dict[str, Any] | None = None) -> subprocess.CompletedProcess[str]:
    """Run helm; ``values`` are handed over as JSON on standard input."""
    given = ["-f", "-"] if values is not None else []
    text = json.dumps(values) if values is not None else None
    return subprocess.run(
        [str(binary("helm")), *arguments, *given], input=text, capture_output=True, text=True, check=False
    )


def refusal(values: dict[str, Any]) -> str:
    """What helm says when it refuses these values."""
    result = helm("template", "clsp", str(CHART), "-n", "speech", values=values)
    assert result.returncode != 0, "helm took values that contradict each other"
    return result.stderr


def render(
    values: dict[str, Any], release: str = "clsp", namespace: str = "speech", kube: str = "1.31.0"
) -> list[Object]:
    """Every object of a release with these values."""
    result = helm("template", release, str(CHART), "-n", namespace, "--kube-version", kube, values=values)
    assert result.returncode == 0, result.stderr
    return [item for item in yaml.safe_load_all(result.stdout) if item]


@cache
def _shape(shape: str, release: str, namespace: str, kube: str) -> str:
    return json.dumps(render(yaml.safe_load(values_file(shape).read_text()), release, namespace, kube))


def render_shape(shape: str, release: str = "clsp", namespace: str = "speech", kube: str = "1.31.0") -> list[Object]:
    """Every object of a release in one of the shapes of ``ci/``."""
    objects: list[Object] = json.loads(_shape(shape, release, namespace, kube))
    return objects


def find(objects: list[Object], kind: str, name: str = "") -> Object:
    """The one object of a kind whose name ends so."""
    found = [item for item in objects if item["kind"] == kind and item["metadata"]["name"].endswith(name)]
    assert len(found) == 1, [item["metadata"]["name"] for item in found]
    return found[0]


def pods(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod spec of everything that becomes a pod, an InferenceService with its ServingRuntime merged in."""
    runtimes = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "ServingRuntime"}
    for item in objects:
        name = f"{item['kind']}/{item['metadata']['name']}"
        if item["kind"] == "Pod":
            yield name, item["spec"]
        elif item["kind"] in WORKLOADS:
            yield name, item["spec"]["template"]["spec"]
        elif item["kind"] == "InferenceService":
            predictors = [item["spec"]["predictor"], *(one["predictor"] for one in item["spec"].get("canary", []))]
            for predictor in predictors:
                yield f"{name}/{predictor.get('name', '')}", _as_kserve_does(predictor, runtimes)


def _as_kserve_does(predictor: Object, runtimes: dict[str, Object]) -> Object:
    """The pod spec that KServe makes of a predictor whose ``model`` names a runtime."""
    model = predictor["model"]
    runtime = runtimes[model["runtime"]]
    container = dict(runtime["containers"][0])
    container["args"] = container.get("args", []) + model["args"]
    container["resources"] = model["resources"]
    own = {"model", "name", "labels", "annotations", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"}
    spec = {key: value for key, value in predictor.items() if key not in own | {"autoScaling", "deploymentStrategy"}}
    return {**spec, "volumes": runtime["volumes"], "containers": [container]}

"""Rendered objects are what Kubernetes 1.29 to 1.35 and the operators' CRDs take."""

import pytest

from tests.chart.rendering import SHAPES, render_shape
from tests.chart.schemas import KUBERNETES, problems


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("shape", SHAPES)
def test_objects_satisfy_their_schemas(shape: str, version: str) -> None:
    found = [problems(item, version) for item in render_shape(shape, kube=f"{version}.0")]
    assert [problem for problem in found if problem] == []


@pytest.mark.parametrize(
    "item",
    [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dat": {}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": {"template": {"spec": {"x": 1}}}},
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "a"},
            "spec": {"predictor": {"minReplica": 1}},
        },
    ],
)
def test_the_schemas_refuse_an_unknown_field(item: dict[str, object]) -> None:
    assert problems(item, "1.31")

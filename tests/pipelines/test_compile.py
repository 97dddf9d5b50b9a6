"""What is committed is what compiles today, byte for byte, in any process; and it is plain enough for any KFP."""

import os
import subprocess
import sys

import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from pipelines import compile as compiling
from pipelines.flows import FLOWS
from pipelines.steps import STEPS


def documents(flow: str) -> tuple[dict, dict]:
    spec, platform = yaml.safe_load_all((compiling.COMPILED / f"{flow}.yaml").read_text())
    return spec, platform


@pytest.mark.parametrize("seed", ["0", "1"])
def test_every_process_compiles_the_committed_bytes(tmp_path, seed):
    command = [sys.executable, "-m", "pipelines.compile", "--out", str(tmp_path)]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    for flow in FLOWS:
        assert (tmp_path / f"{flow}.yaml").read_bytes() == (compiling.COMPILED / f"{flow}.yaml").read_bytes(), flow


def test_a_changed_file_is_called_stale(tmp_path, monkeypatch):
    for flow in FLOWS:
        data = (compiling.COMPILED / f"{flow}.yaml").read_bytes()
        (tmp_path / f"{flow}.yaml").write_bytes(data.replace(b"retry", b"rotry") if flow == "data" else data)
    (tmp_path / "release.yaml").unlink()
    monkeypatch.setattr(compiling, "COMPILED", tmp_path)
    assert compiling.stale_flows() == ["data", "release"]


@pytest.mark.parametrize("flow", FLOWS)
def test_the_platform_is_a_document_of_its_own_and_the_rest_is_a_pipeline_spec(flow):
    spec, platform = documents(flow)
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())
    json_format.ParseDict(platform, pipeline_spec_pb2.PlatformSpec())
    assert set(platform["platforms"]) == {"kubernetes"}
    assert spec["sdkVersion"] == "kfp-2.17.0"


def test_one_task_a_step_and_no_step_installs_anything():
    spec, _ = documents("full")
    assert {name.replace("-", "_") for name in spec["root"]["dag"]["tasks"]} == set(STEPS)
    for executor in spec["deploymentSpec"]["executors"].values():
        assert "pip" not in " ".join(executor["container"]["command"])

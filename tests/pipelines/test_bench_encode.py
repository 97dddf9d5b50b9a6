"""``clsp bench encode`` measures what it says: every way, its reference, and that the ways agree."""

import orjson
import pytest
from typer.testing import CliRunner

from clsp.errors import ConfigError
from pipelines.cli import app


def test_every_way_is_measured_beside_the_plain_one(tmp_path):
    out = tmp_path / "bench" / "encode.json"
    arguments = ["bench", "encode", "--clips", "3", "--texts", "4", "--rounds", "1", "--out", str(out)]
    printed = CliRunner().invoke(app, arguments, catch_exceptions=False).output
    (result,) = orjson.loads(out.read_bytes())["results"]
    assert orjson.loads(printed)["results"] == [result]
    assert result["preset"] == "tiny"
    assert result["largest_difference"] < 1e-4
    assert result["peak_bytes"] > 0
    speeds = {(speed["tower"], speed["way"]): speed for speed in result["speeds"]}
    assert speeds.keys() == {(tower, way) for tower in ("speech", "text") for way in ("plain", "alone", "batched")}
    assert all(speed["per_second"] > 0 for speed in speeds.values())
    assert speeds["speech", "plain"]["ratio_to_plain"] == 1.0
    batched = speeds["speech", "batched"]
    assert batched["real_time_factor"] == pytest.approx(1 / batched["per_second"])


@pytest.mark.parametrize("option", [("--dtype", "int4"), ("--device", "cuda:9"), ("--preset", "huge")])
def test_what_cannot_be_measured_is_refused(option):
    with pytest.raises(ConfigError, match="hint"):
        CliRunner().invoke(app, ["bench", "encode", *option], catch_exceptions=False)

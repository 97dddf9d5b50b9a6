"""The data benchmark measures the order, the loader beside the model it feeds, and what saving costs."""

import orjson
from typer.testing import CliRunner

from pipelines.cli import app


def test_bench_data_says_what_resuming_feeding_and_saving_take():
    result = CliRunner().invoke(app, ["bench", "data", "--clips", "1000", "--step", "3", "--turns", "1"])
    assert result.exit_code == 0, result.output
    report = orjson.loads(result.stdout[result.stdout.index("{") :])
    assert [each["step"] for each in report["resume"]] == [3]
    feeding, saving = report["feeding"], report["saving"]
    assert feeding["ratio"] == feeding["step"]["wall"] / feeding["batch"]["wall"]
    assert feeding["cpu_ratio"] > 0
    assert saving["bytes"] > 1_000_000
    assert 0 < saving["waited_share"] < 1

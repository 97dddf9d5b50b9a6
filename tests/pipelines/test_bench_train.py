"""The benchmark measures both sides on the same work and prints what a program can read."""

import orjson
from typer.testing import CliRunner

from pipelines.cli import app


def test_bench_train_compares_both_sides():
    command = ["bench", "train", "--preset", "tiny", "--clips", "4", "--seconds", "1", "--steps", "2", "--no-xlarge"]
    result = CliRunner().invoke(app, [*command, "--loss-clips", "4096"])
    assert result.exit_code == 0, result.output
    (loss,) = orjson.loads(result.stdout)["loss"]
    assert loss["matrix"] == 64
    assert loss["whole"] > 2 * loss["matrix"]
    assert loss["tiled_seconds"] > 0
    (speed,) = orjson.loads(result.stdout)["speed"]
    assert speed["load"] == {"preset": "tiny", "clips": 4, "seconds": 1.0, "threads": 1, "layers": 0}
    assert speed["ratio_low"] <= speed["ratio"] <= speed["ratio_high"]
    assert speed["plain_samples_per_second"] > 0
    assert speed["samples_per_second"] > 0

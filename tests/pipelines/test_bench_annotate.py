"""``clsp bench annotate`` against engines whose speed is known."""

import sys

import orjson
import pytest
from typer.testing import CliRunner

from clsp.captions.speed import Load
from clsp.config import EndpointSettings, SamplingSettings
from clsp.errors import EndpointError
from pipelines.bench.annotation import Sweep, run_sweep
from pipelines.cli import app
from tests.fixed_engine import fixed_engine

QUICK = ["--views", "2", "--seconds", "0.5", "--model", "m"]


def bench(url: str, *arguments: str) -> dict:
    ran = CliRunner().invoke(app, ["bench", "annotate", "--url", url, *QUICK, *arguments])
    assert ran.exit_code == 0, ran.output
    return orjson.loads(ran.stdout)


def test_more_requests_are_faster_until_the_engine_is_full():
    with fixed_engine(8, 0.25) as url:
        found = bench(url, "--concurrency", "2", "--concurrency", "8", "--price", "3")
    fast, slow = found["results"]
    assert (fast["concurrency"], slow["concurrency"]) == (8, 2)
    assert 0 < slow["captions_per_second"] <= 8
    assert slow["captions_per_second"] < fast["captions_per_second"] <= 32
    assert fast["captions"] == 32
    assert fast["failed"] == 0
    rate = fast["captions_per_second"]
    assert fast["audio_hours_per_hour"] == pytest.approx(rate / 2 * 0.5, rel=0.01)
    assert fast["gpu_days_per_million"] == pytest.approx(1e6 / rate / 86_400, rel=0.01)
    assert fast["cost_per_million"] == pytest.approx(1e6 / rate / 3600 * 3, rel=0.01)
    assert fast["prefix_cache_hit_share"] is None


def test_an_engine_is_started_for_each_setting_and_stopped(tmp_path):
    with fixed_engine(1, 0.1) as url:
        port = url.rsplit(":", 1)[1].removesuffix("/v1")
    command = f"{sys.executable} -m tests.fixed_engine {{seqs}} 0.2 {port}"
    load = Load(1, 0.5, SamplingSettings())
    sweep = Sweep(EndpointSettings(url=url), load, [4], command, sequences=[1, 4], batched_tokens=[1024])
    rows = run_sweep(sweep)
    assert [row["max_num_seqs"] for row in rows] == [4, 1]
    assert rows[0]["captions_per_second"] > rows[1]["captions_per_second"]
    with pytest.raises(EndpointError):
        run_sweep(Sweep(EndpointSettings(url=url, first_answer_seconds=0.1), load, [4]))


def test_an_engine_that_does_not_start_is_named():
    sweep = Sweep(EndpointSettings(url="http://127.0.0.1:1/v1"), Load(1, 0.5, SamplingSettings()), [4], "false")
    with pytest.raises(EndpointError, match="did not answer"):
        run_sweep(sweep)

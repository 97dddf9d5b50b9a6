"""Plans against arithmetic done by hand, and what any plan must obey."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from clsp.config import PlanSettings
from pipelines.cli import app
from pipelines.plan import make_plan


def test_a_plan_worked_out_by_hand():
    settings = PlanSettings(
        clip_seconds=10, caption_tokens=100, captioner_tokens_per_second=1000, verdict_tokens=500,
        verifier_tokens_per_second=1000, gpus=4, gpu_hour_price=3.0, flac_bytes_per_second=2**30 / 3600,
    )  # fmt: skip
    plan = make_plan(240.0, 5, settings)
    annotate, verify, _ = plan.stages
    assert (plan.clips, plan.captions) == (86_400, 432_000)
    assert (annotate.gpu_days, annotate.days, annotate.cost) == pytest.approx((0.5, 0.125, 36.0))
    assert verify.gpu_days == pytest.approx(2.5)
    assert plan.gpu_days_per_million_captions == pytest.approx(1e5 / 86_400)
    assert plan.audio_gib == pytest.approx(240)


@given(st.floats(0.1, 1e5), st.integers(1, 20))
def test_twice_the_hours_take_twice_of_everything(hours, views):
    one, two = make_plan(hours, views, PlanSettings()), make_plan(2 * hours, views, PlanSettings())
    assert two.captions == pytest.approx(2 * one.captions, abs=2 * views)
    assert two.cost == pytest.approx(2 * one.cost, rel=0.05)
    assert two.storage_cost_per_month == pytest.approx(2 * one.storage_cost_per_month, rel=0.05)


def test_the_command_takes_a_measured_rate():
    arguments = ["plan", "--hours", "47000", "--captions-per-second", "20", "--gpus", "32", "--json"]
    answer = orjson.loads(CliRunner().invoke(app, arguments).stdout)
    assert answer["stages"][0]["gpu_days"] == pytest.approx(answer["captions"] / 20 / 86_400)
    assert answer["rates"]["gpus"] == 32
    assert "estimates" in CliRunner().invoke(app, ["plan", "--hours", "10"]).stdout

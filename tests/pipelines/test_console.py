"""The console shows sums, reasons and cost of each step, and leaves unknown events alone."""

import io

import pytest

from pipelines.console import Console

DONE = {
    "event": "step_done", "name": "verify", "unit": "captions", "rows_in": 12, "accepted": 9,
    "rejected": {"negation": 2, "transcript": 0}, "failed": {"timeout": 1}, "seconds": 1.25,
    "max_rss_bytes": 300 * 2**20, "reused": False, "manifest": "ab",
}  # fmt: skip


def shown(*events: dict, live: bool = False) -> str:
    out = io.StringIO()
    console = Console(out, live=live)
    for event in events:
        console.show(event)
    return out.getvalue()


def test_a_finished_step_shows_its_sums_reasons_and_cost():
    text = shown(DONE)
    assert "12 captions in → 9 accepted · 2 rejected (negation 2) · 1 failed (timeout 1)" in text
    assert "[1.2s, 300 MiB]" in text


def test_reused_work_is_said_to_be_done_already():
    assert "[already done]" in shown(DONE | {"reused": True})


def test_progress_names_rate_time_left_and_facts():
    event = {"event": "progress", "step": "train_stage1", "done": 10, "total": 40, "unit": "steps", "rate": 2.0,
             "seconds_left": 75.0, "loss": 1.5}  # fmt: skip
    assert "10/40 steps, 2/s, 1m15s left  loss 1.5" in shown(event)


def test_a_failure_shows_its_reason():
    assert "✗ ingest" in shown({"event": "step_failed", "step": "ingest", "message": "no recordings"})


def test_warnings_are_shown_and_a_flood_of_them_is_left_to_the_log():
    short = {"event": "task_schedule_unfinished", "level": "warning", "module": "m", "steps": 40, "hint": "lower it"}
    failed = {"event": "row_failed", "level": "warning", "row": "clip-1"}
    lines = shown(short, *[failed] * 9).splitlines()
    assert lines[0] == "  ! task schedule unfinished: steps 40, hint lower it"
    assert len(lines) == 4
    assert "log" in lines[-1]


@pytest.mark.parametrize("event", [{}, {"event": "http_request"}, {"level": "info"}])
def test_unknown_events_are_left_to_the_log(event):
    assert shown(event) == ""


def test_a_terminal_sees_one_living_line():
    text = shown({"event": "step_started", "step": "ingest"}, DONE, live=True)
    assert text.count("\n") == 1

"""``clsp run``, ``runs`` and ``schedule`` as a person and a program use them, over KFP and over a store."""

import contextlib
import json
import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from clsp.config import Config
from clsp.errors import ClspError, ConfigError, DataError, KfpError
from clsp.storage import open_store
from clsp.storage.manifest import Counts
from clsp.storage.steps import Outcome, make_recipe
from components.runner import execute, step_entry
from pipelines.cli import app
from pipelines.local import FlowError, FlowFailure
from pipelines.runs import run_locally
from tests.captioning import voice, wav
from tests.pipelines.kfp_api.connecting import SUCCESS

RUN = ["run", "data", "--data", "s3://speech/raw", "--store", "s3://speech/team-a"]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "quick.yaml"
    path.write_text("kfp: {poll_seconds: 0.05, backoff_seconds: 0, attempts: 2}\n")
    return str(path)


def clsp(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, ClspError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_run_is_submitted_followed_and_told(kfp_api, config):
    kfp_api.state.default_script = list(SUCCESS)
    out = clsp(*RUN, "--kfp", kfp_api.url, "--config", config)
    (run,) = kfp_api.state.runs.values()
    assert f"{kfp_api.url}/#/runs/details/{run['run_id']}" in out
    assert run["runtime_config"]["parameters"]["source"] == "s3://speech/raw"
    assert "run_id" in run["runtime_config"]["parameters"]


def test_without_waiting_the_answer_is_for_programs(kfp_api, config):
    answer = json.loads(clsp(*RUN, "--kfp", kfp_api.url, "--config", config, "--no-wait", "--json"))
    assert answer["state"] == "PENDING"
    shown = json.loads(clsp("runs", "show", answer["run"], "--kfp", kfp_api.url, "--config", config, "--json"))
    assert shown["id"] == answer["kfp_run"]
    assert (
        json.loads(clsp("runs", "list", "--kfp", kfp_api.url, "--config", config, "--json"))[0]["run"] == answer["run"]
    )
    assert "canceled" in clsp("runs", "cancel", answer["run"], "--kfp", kfp_api.url, "--config", config)


def test_the_environment_names_the_api_and_local_overrides_it(kfp_api, config, monkeypatch, tmp_path):
    monkeypatch.setenv("CLSP_KFP_URL", kfp_api.url)
    clsp(*RUN, "--config", config, "--no-wait")
    assert len(kfp_api.state.runs) == 1
    with pytest.raises(ConfigError, match="needs --data"):
        clsp("run", "data", "--store", str(tmp_path), "--local", "--config", config)


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_the_log_is_kept_in_the_store_and_beside_it_only_where_an_error_names_it(tmp_path, monkeypatch, ends):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def run(_flow, _arguments, log, _show):
        log.write_text("what happened")
        if ends == "badly":
            raise FlowError(FlowFailure("ingest", "no", "", 3), log)

    monkeypatch.setattr("pipelines.runs.run_flow", run)
    with contextlib.suppress(FlowError):
        run_locally("data", str(tmp_path / "store"), "r", Config(), {"source": "x", "metadata": ""})
    assert open_store(str(tmp_path / "store")).get("logs/r.log") == b"what happened"
    assert (tmp_path / "clsp-r.log").exists() == (ends == "badly")


def test_ctrl_c_leaves_the_run_running(kfp_api, config):
    kfp_api.state.default_script = [("ingest", "RUNNING", "")]
    code, err = interrupted([*RUN, "--kfp", kfp_api.url, "--config", config])
    assert code == 130
    assert "left running" in err
    (run,) = kfp_api.state.runs.values()
    assert run["state"] == "RUNNING"
    assert not any(path.endswith(":terminate") for _, path, _ in kfp_api.requests)


def test_ctrl_c_ends_a_run_here_and_says_how_it_goes_on(tmp_path):
    (recordings := tmp_path / "recordings").mkdir()
    for number in range(100):
        (recordings / f"{number}.wav").write_bytes(wav(voice(100 + number, seconds=2)))
    code, err = interrupted(["run", "data", "--data", str(recordings), "--store", str(tmp_path / "store")])
    assert code == 130
    assert "the same command goes on" in err
    assert "Traceback" not in err


def interrupted(arguments: list[str]) -> tuple[int, str]:
    """Exit code and words of a command whose keyboard says Ctrl-C once its ingest is told of."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Tests that run in the background of a shell inherit an ignored SIGINT; a person's terminal does not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    try:
        while "ingest" not in (line := process.stderr.readline()):
            assert line, "it ended before"
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return process.returncode, err


def test_a_failed_run_fails_the_command(kfp_api, config):
    kfp_api.state.default_script = [("ingest", "FAILED", "no such bucket"), ("run", "FAILED", "")]
    with pytest.raises(KfpError, match="failed in step ingest: no such bucket"):
        clsp(*RUN, "--kfp", kfp_api.url, "--config", config)


@pytest.fixture
def told_store(tmp_path):
    """A store with a run whose second step failed."""
    store = str(tmp_path / "store")
    outcome = Outcome("", (), Counts(unit="files", rows_in=2, accepted=2), {})
    execute(store, "run-1", make_recipe("ingest", {}), (), lambda *_: outcome)

    @step_entry("annotate")
    def broken(*, store: str, run_id: str) -> str:
        raise DataError("nothing to annotate", hint="look at ingest")

    with pytest.raises(DataError):
        broken(store=store, run_id="run-1")
    return store


def test_runs_of_a_store_are_listed_shown_and_explained(told_store):
    (row,) = json.loads(clsp("runs", "list", "--store", told_store, "--json"))
    assert (row["run"], row["state"], row["steps"]) == ("run-1", "failed", 1)
    shown = json.loads(clsp("runs", "show", "run-1", "--store", told_store, "--json"))
    assert [step["name"] for step in shown["steps"]] == ["ingest"]
    assert shown["failures"][0]["message"] == "nothing to annotate"
    assert json.loads(clsp("runs", "explain", "run-1", "--store", told_store, "--json"))[0]["step"] == "ingest"
    assert "no earlier run" in clsp("runs", "explain", "run-1", "ingest", "--store", told_store)
    with pytest.raises(ConfigError, match="no run 'other'"):
        clsp("runs", "show", "other", "--store", told_store)
    with pytest.raises(ConfigError, match="no log of run"):
        clsp("runs", "logs", "run-1", "--store", told_store)


def test_a_step_that_succeeds_later_is_no_failure_any_more(told_store):
    outcome = Outcome("", (), Counts(unit="rows", rows_in=0, accepted=0), {})
    execute(told_store, "run-1", make_recipe("annotate", {}), (), lambda *_: outcome)
    assert json.loads(clsp("runs", "show", "run-1", "--store", told_store, "--json"))["failures"] == []


def test_a_schedule_file_is_applied_listed_paused_and_resumed(kfp_api, config, tmp_path):
    file = tmp_path / "schedules.yaml"
    file.write_text(
        "- {name: nightly, flow: data, cron: '0 0 2 * * *', data: 's3://a/raw', settings: {annotate: {views: 5}}}\n"
    )
    there = ["--kfp", kfp_api.url, "--config", config]
    apply = ["schedule", "apply", str(file), "--store", "s3://speech/team-a", *there]
    assert json.loads(clsp(*apply, "--json")) == [{"verb": "create", "name": "nightly", "id": ""}]
    assert "0 changes" in clsp(*apply)
    (made,) = kfp_api.state.recurring.values()
    assert json.loads(made["runtime_config"]["parameters"]["annotate_settings"])["views"] == 5
    assert "paused" in clsp("schedule", "pause", "nightly", *there)
    assert json.loads(clsp("schedule", "list", *there, "--json"))[0]["paused"] is True
    assert "active" in clsp("schedule", "resume", "nightly", *there)
    file.write_text("schedules: [{name: nightly, flow: data, cron: '0 0 2 * * *', settings: {annotate: {vews: 5}}}]")
    with pytest.raises(ConfigError, match="vews"):
        clsp(*apply)

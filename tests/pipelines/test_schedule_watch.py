"""Missed schedules: the newest run of each recurring run is told, and grows old when none comes any more."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from datetime import datetime

from prometheus_client import REGISTRY

from pipelines.remote.schedules import reconcile
from pipelines.remote.watching import newest_runs, report, watch
from tests.cluster.harness.waiting import until
from tests.pipelines.test_schedules import wanted


def told(schedule):
    return REGISTRY.get_sample_value("clsp_schedule_newest_run_timestamp_seconds", {"schedule": schedule})


def run_of(kfp_api, name, at):
    """KFP's controller makes a run of the recurring run, as it does when its time has come."""
    (made,) = [item for item in kfp_api.state.recurring.values() if item["display_name"] == name]
    run = kfp_api.state.put_run({key: made[key] for key in _OF_RUN})
    run |= {"recurring_run_id": made["recurring_run_id"], "created_at": at}


_OF_RUN = ("display_name", "experiment_id", "pipeline_version_reference", "runtime_config")


def test_the_newest_run_of_each_and_nothing_of_paused_ones_or_of_other_owners(kfp_api, calls):
    reconcile(calls, "a", [wanted(), wanted("weekly"), wanted("paused", paused=True)])
    reconcile(calls, "b", [wanted("theirs")])
    for day in (3, 5, 4):
        run_of(kfp_api, "nightly", f"2026-03-0{day}T02:00:00Z")
    found = newest_runs(calls, "a")
    assert set(found) == {"nightly", "weekly"}
    assert found["nightly"] == datetime.fromisoformat("2026-03-05T02:00:00+00:00")
    (declared,) = [item for item in kfp_api.state.recurring.values() if item["display_name"] == "weekly"]
    assert found["weekly"] == datetime.fromisoformat(declared["created_at"])


def test_what_is_gone_or_paused_is_no_longer_told(kfp_api, calls):
    reconcile(calls, "a", [wanted("gone"), wanted("stays")])
    seen = report(calls, "a", set())
    assert told("gone") > 0
    reconcile(calls, "a", [wanted("stays")])
    assert report(calls, "a", seen) == {"stays"}
    assert told("gone") is None
    assert told("stays") > 0


def test_a_kfp_that_does_not_answer_is_asked_again(kfp_api, calls):
    reconcile(calls, "a", [wanted("patient")])
    kfp_api.faults.extend([503] * 2 * calls.settings.attempts)  # two looks come to nothing
    over = threading.Event()
    thread = threading.Thread(target=watch, args=(calls, "a", 0.05, over))
    thread.start()
    try:
        assert until("the third look sees it", lambda: told("patient"), 30)
    finally:
        over.set()
        thread.join(30)


def test_the_command_serves_it_and_stops_when_told(kfp_api, calls):
    reconcile(calls, "speech/clsp", [wanted()])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "pipelines.cli",
        "schedule",
        "watch",
        "--owner=speech/clsp",
        f"--kfp={kfp_api.url}",
    ]
    environment = {**os.environ, "CLSP_METRICS_PORT": str(port)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:

            def served():
                page = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()
                return re.search(r'newest_run_timestamp_seconds\{schedule="nightly"\} [1-9]', page)

            assert until("the metric is served", served, 90)
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()

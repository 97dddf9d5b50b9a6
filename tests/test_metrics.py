"""A running step's numbers reach Prometheus, and nothing happens where nobody asked for them."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from prometheus_client import REGISTRY

from clsp.metrics import PORT_VARIABLE, count_rows, report_progress
from clsp.progress import Progress
from clsp.storage import open_store
from clsp.storage.ledger import Ledger
from tests.ports import free_ports

_SCRIPT = """
import urllib.request, sys
from clsp.progress import Progress
with Progress("annotate", 4, every_seconds=0) as progress:
    progress.advance(3, loss_fine=0.5, note="text")
    sys.stdout.write(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics").read().decode())
"""


@pytest.fixture
def port():
    with socket.socket() as one:
        one.bind(("0.0.0.0", 0))
        one.listen()
        yield one.getsockname()[1]


def _value(name, **labels):
    return REGISTRY.get_sample_value(name, labels)


def test_a_process_with_a_port_serves_its_progress():
    chosen = str(free_ports(1)[0])
    environment = {PORT_VARIABLE: chosen, "PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    result = subprocess.run(
        [sys.executable, "-c", _SCRIPT, chosen], capture_output=True, text=True, env=environment, check=True
    )
    assert re.search(r'^clsp_step_units\{step="annotate"\} 4\.0$', result.stdout, re.MULTILINE)
    assert 'clsp_step_done_units{step="annotate"} 3.0' in result.stdout
    assert 'clsp_step_fact{fact="loss_fine",step="annotate"} 0.5' in result.stdout
    assert "note" not in result.stdout


def test_a_taken_port_does_not_stop_the_step(port, monkeypatch, capsys):
    monkeypatch.setenv(PORT_VARIABLE, str(port))
    with Progress("ingest", 1) as progress:
        progress.advance()
    assert progress.done == 1
    said = capsys.readouterr()
    assert "metrics_not_served" in said.out + said.err


@pytest.mark.parametrize("wrong", ["many", "-1", "99999"])
def test_a_port_that_is_none_does_not_stop_the_step(wrong, monkeypatch):
    monkeypatch.setenv(PORT_VARIABLE, wrong)
    with Progress("ingest", 1) as progress:
        progress.advance()


def test_without_a_port_nothing_listens(monkeypatch):
    def listening():
        found = psutil.Process().connections("inet")
        return {one.laddr for one in found if one.status == psutil.CONN_LISTEN}

    before = listening()
    monkeypatch.delenv(PORT_VARIABLE, raising=False)
    with Progress("quiet", 1) as progress:
        progress.advance()
        assert listening() == before


def test_rows_of_a_unit_are_counted_once(tmp_path):
    ledger = Ledger(open_store(str(tmp_path)), "verify", "key")
    result = {"accepted": 3, "rejected": {"leak": 2}, "failed": {"timeout": 1}}
    for _ in range(2):  # the second run finds the work done
        ledger.complete([("000000", None)], lambda _: result, Progress("verify_once", 1))
    assert _value("clsp_step_rows_total", step="verify_once", outcome="accepted", reason="") == 3
    assert _value("clsp_step_rows_total", step="verify_once", outcome="rejected", reason="leak") == 2
    assert _value("clsp_step_rows_total", step="verify_once", outcome="failed", reason="timeout") == 1


@pytest.mark.parametrize("result", [None, "text", {}, {"accepted": "3"}, {"accepted": 0, "rejected": 4}])
def test_results_without_sums_pass_by(result):
    count_rows("strange", result)
    assert not _value("clsp_step_rows_total", step="strange", outcome="rejected", reason="")


def test_unknown_time_left_is_not_reported():
    report_progress("early", 0, 10, None, {})
    assert _value("clsp_step_left_seconds", step="early") is None

"""``clsp bench serve``: an open loop that hides no waiting, and a report whose numbers fit together."""

import asyncio
import http.server
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET

import orjson
import pytest

from pipelines.bench.load import Target, offer, probing, quantile, saturate
from tests.tiny_model import write_tiny_model


@pytest.fixture
def slow():
    """A server that answers one request at a time, each after 50 ms."""
    turn = threading.Lock()

    class Slow(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            with turn:
                time.sleep(0.05)
            self._end()

        def do_GET(self):
            self._end()

        def _end(self):
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    server.request_queue_size = 200
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_latency_counts_from_when_the_request_was_due(slow):
    target = Target(slow, [b"{}"])
    calm = asyncio.run(offer(target, 4.0, 1.0))
    flooded = asyncio.run(offer(target, 40.0, 1.0))
    assert all(outcome.status == 200 for outcome in calm + flooded)
    assert max(outcome.seconds for outcome in flooded) > 0.4
    assert len(flooded) > 20
    assert len(asyncio.run(saturate(target, 3, 9))) == 9


def test_probes_are_asked_meanwhile(slow):
    deadline = time.monotonic() + 60
    with probing(slow, every=0.02) as probes:
        while len(probes.seconds) <= 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_no_answer_is_no_success():
    assert [outcome.status for outcome in asyncio.run(saturate(Target("http://127.0.0.1:9", [b"{}"]), 1, 2))] == [0, 0]


def test_quantiles():
    assert quantile([], 0.5) == 0.0
    assert quantile([3.0], 0.99) == 3.0
    assert quantile(range(1, 1002), 0.5) == pytest.approx(501, abs=1)
    assert quantile(range(1, 1002), 0.99) == pytest.approx(991, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("tower", ["speech", "text"])
def test_a_short_run_reports_numbers_that_fit_together(tmp_path, tower):
    folder, out = write_tiny_model(tmp_path / "model"), tmp_path / "serve.json"
    command = [sys.executable, "-m", "pipelines.cli", "bench", "serve", str(folder), "--tower", tower, "--inputs", "8"]
    subprocess.run(
        [*command, "--seconds", "0.5", "--overload", "1", "--least", "5", "--out", str(out)],
        check=True,
        capture_output=True,
    )
    report = orjson.loads(out.read_bytes())
    assert report["unit"] == ("audio_seconds" if tower == "speech" else "texts")
    assert report["largest_difference"] < 1e-4
    assert report["saturated_per_second"] > 0 < report["bare_per_second"]
    assert report["knee"] <= max(step["offered"] for step in report["steps"])
    for step in report["steps"]:
        assert step["p50"] <= step["p95"] <= step["p99"]
    overload = report["overload"]
    assert overload["other"] == 0
    assert 0 <= overload["within_deadline"] <= 1
    assert ET.fromstring(out.with_suffix(".svg").read_text()).tag.endswith("svg")

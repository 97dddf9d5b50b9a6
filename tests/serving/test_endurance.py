"""While it works: health checks answer at once, callers of every protocol take turns, nothing grows."""

import concurrent.futures
import json
import shutil
import subprocess
import time

import httpx
import numpy as np
import psutil
import pytest

from serving.client import audio_part
from serving.launch import running_server
from tests.serving.conftest import SETTINGS
from tests.serving.soak import mixed_load
from tests.tiny_model import TEXTS, encoded


@pytest.fixture(scope="module")
def place(version):
    with running_server(version.uri, SETTINGS.model_copy(update={"max_items": 64, "max_body_bytes": 2**23})) as found:
        yield found


def test_health_checks_do_not_wait_for_a_forward(place):
    noise = np.random.default_rng(0).normal(size=16_000 * 5).astype(np.float32) * 0.01
    body = json.dumps({"input": [audio_part(encoded(noise))] * 16}).encode()
    seconds = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool, httpx.Client(base_url=place.url, trust_env=False) as http:
        began = time.monotonic()
        asked = [pool.submit(httpx.post, f"{place.url}/v1/embeddings", content=body, timeout=120) for _ in range(4)]
        while not all(each.done() for each in asked):
            started = time.monotonic()
            assert http.get("/v2/health/live").status_code == 200
            seconds.append(time.monotonic() - started)
        whole, took = [each.result() for each in asked], time.monotonic() - began
    assert {answer.status_code for answer in whole} <= {200, 429}
    assert len(seconds) > 10, "a check waited for the forward"
    assert sorted(seconds)[len(seconds) * 9 // 10] < took / 10  # four forwards, one after the other


def test_an_answer_on_an_open_connection_is_sent_at_once(place):
    with httpx.Client(base_url=place.url, trust_env=False) as http:
        seconds = []
        for _ in range(61):
            started = time.monotonic()
            http.get("/v2/health/live")
            seconds.append(time.monotonic() - started)
    assert sorted(seconds)[15] < 0.03, "small packets waited for an acknowledgement, which takes 40 ms"


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl(place):
    command = ["curl", "-sS", "-D", "-", f"{place.url}/v1/embeddings", "-H", "Content-Type: application/json", "-d"]
    told = subprocess.run([*command, json.dumps({"input": TEXTS})], capture_output=True, text=True, check=True).stdout
    head, _, body = told.partition("\n\n")
    assert head.startswith("HTTP/1.1 200")
    assert "x-request-id:" in head.lower()
    assert len(json.loads(body)["data"]) == len(TEXTS)


def test_nothing_grows_in_a_short_soak(place):
    process = psutil.Process(place.pid)
    mixed_load(place, 400)
    before = process.memory_info().rss, process.num_threads()
    mixed_load(place, 1200)
    assert process.memory_info().rss - before[0] < 40 * 2**20
    assert process.num_threads() <= before[1] + 2
    deadline = time.monotonic() + 20
    while process.num_fds() > 60:
        assert time.monotonic() < deadline, "connections stay open"
        time.sleep(0.1)

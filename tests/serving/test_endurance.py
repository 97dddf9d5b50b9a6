"""While it works: health checks answer at once, callers of every protocol take turns, nothing grows."""

import concurrent.futures
import json
import shutil
import subprocess
import time

import grpc
import httpx
import numpy as np
import psutil
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from serving.client import audio_part
from serving.launch import running_server
from tests.serving.conftest import SETTINGS
from tests.tiny_model import TEXTS, encoded, tone


@pytest.fixture(scope="module")
def place(version):
    with running_server(version.uri, SETTINGS.model_copy(update={"max_items": 64, "max_body_bytes": 2**23})) as found:
        yield found


def test_health_checks_do_not_wait_for_a_forward(place):
    noise = np.random.default_rng(0).normal(size=16_000 * 5).astype(np.float32) * 0.01
    body = json.dumps({"input": [audio_part(encoded(noise))] * 16}).encode()
    seconds = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool, httpx.Client(base_url=place.url, trust_env=False) as http:
        asked = [pool.submit(httpx.post, f"{place.url}/v1/embeddings", content=body, timeout=120) for _ in range(4)]
        while not all(each.done() for each in asked):
            started = time.monotonic()
            assert http.get("/v2/health/live").status_code == 200
            seconds.append(time.monotonic() - started)
        whole = [each.result() for each in asked]
    assert {answer.status_code for answer in whole} <= {200, 429}
    assert len(seconds) > 10, "a check waited for the forward"
    assert sorted(seconds)[len(seconds) * 9 // 10] < 0.05


def test_an_answer_on_an_open_connection_is_sent_at_once(place):
    with httpx.Client(base_url=place.url, trust_env=False) as http:
        seconds = []
        for _ in range(21):
            started = time.monotonic()
            http.get("/v2/health/live")
            seconds.append(time.monotonic() - started)
    assert sorted(seconds)[10] < 0.03, "small packets waited for an acknowledgement, which takes 40 ms"


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl(place):
    command = ["curl", "-sS", "-D", "-", f"{place.url}/v1/embeddings", "-H", "Content-Type: application/json", "-d"]
    told = subprocess.run([*command, json.dumps({"input": TEXTS})], capture_output=True, text=True, check=True).stdout
    head, _, body = told.partition("\n\n")
    assert head.startswith("HTTP/1.1 200")
    assert "x-request-id:" in head.lower()
    assert len(json.loads(body)["data"]) == len(TEXTS)


def mixed_load(place, count: int) -> None:
    """Requests of every protocol, good and bad, four at a time."""
    sound = encoded(tone(0.5))
    contents = pb.InferTensorContents(bytes_contents=[TEXTS[0].encode()])
    tensor = pb.ModelInferRequest.InferInputTensor(name="text", datatype="BYTES", shape=[1], contents=contents)
    with (
        httpx.Client(base_url=place.url, timeout=60, trust_env=False) as http,
        grpc.insecure_channel(place.grpc) as channel,
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):
        stub = GRPCInferenceServiceStub(channel)
        kinds = (
            lambda: http.post("/v1/embeddings", json={"input": [TEXTS[1], audio_part(sound)]}).status_code == 200,
            lambda: http.post("/v1/models/clsp:predict", json={"instances": TEXTS}).status_code == 200,
            lambda: bool(stub.ModelInfer(pb.ModelInferRequest(model_name="clsp", inputs=[tensor])).outputs),
            lambda: http.post("/v1/embeddings", json={"input": [audio_part(sound[:200])]}).status_code == 400,
            lambda: httpx.get(f"{place.url}/metrics").status_code == 200,
        )
        asked = [pool.submit(kinds[number % len(kinds)]) for number in range(count)]
        assert all(each.result() for each in asked)


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

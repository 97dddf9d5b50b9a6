"""Whatever arrives, the server refuses it by name and goes on: no 5xx, no crash, no hang, no leak."""

import collections
import concurrent.futures
import io
import json
import socket
import struct
import time
import wave
from urllib.parse import urlsplit

import grpc
import httpx
import numpy as np
import psutil
import pytest
import schemathesis
import soundfile

from serving.client import audio_part
from serving.launch import running_server
from tests.serving.conftest import SETTINGS
from tests.serving.mutations import Mutations, Request
from tests.tiny_model import TEXTS, tone

FINE = {200, 304, 400, 403, 404, 405, 413, 415, 422, 429}
FINE_CALLS = {"OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED"}
SEED = 20_261_124


def send(http: httpx.Client, request: Request) -> str:
    """Status of a request; the answer of a refusal must name it."""
    headers = {name: value for name, value in request.headers.items() if value.isascii() and value.isprintable()}
    response = http.post(request.path, content=request.body, headers=headers)
    if response.status_code >= 400:
        assert response.json()["error"]["code"], request
    return str(response.status_code) if response.status_code in FINE else f"{response.status_code} {request}"


def call(infer, message: bytes) -> str:
    try:
        infer(message, timeout=30)
    except grpc.RpcError as error:
        name = error.code().name
        return name if name in FINE_CALLS else f"{name} {error.details()} {message!r}"
    return "OK"


def storm(place, count: int, seed: int) -> collections.Counter[str]:
    """Send ``count`` bad requests, a tenth over gRPC, four at a time; outcomes by how often."""
    mutations = Mutations(seed)
    with (
        httpx.Client(base_url=place.url, limits=httpx.Limits(max_connections=8), timeout=30, trust_env=False) as http,
        grpc.insecure_channel(place.grpc) as channel,
        concurrent.futures.ThreadPoolExecutor(4) as pool,
    ):
        infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        sent = [
            pool.submit(call, infer, mutations.grpc())
            if number % 10 == 0
            else pool.submit(send, http, mutations.http())
            for number in range(count)
        ]
        return collections.Counter(each.result() for each in sent)


def unexpected(outcomes) -> dict[str, int]:
    known = {*map(str, FINE), *FINE_CALLS}
    return {outcome: count for outcome, count in outcomes.items() if outcome not in known}


def test_a_thousand_bad_requests_are_refused_by_name(server):
    outcomes = storm(server, 1000, SEED)
    assert not unexpected(outcomes)
    assert outcomes["400"] > 300
    assert httpx.post(f"{server.url}/v1/embeddings", json={"input": TEXTS}).status_code == 200


@pytest.mark.slow
def test_ten_thousand_bad_requests_leave_nothing_behind(version):
    with running_server(version.uri, SETTINGS) as place:
        process = psutil.Process(place.pid)
        outcomes = storm(place, 3000, SEED + 1)
        before = process.memory_info().rss
        outcomes += storm(place, 7000, SEED + 2)
        grown = process.memory_info().rss - before
        assert not unexpected(outcomes)
        assert grown < 60 * 2**20
        assert process.num_threads() < 60
        deadline = time.monotonic() + 30
        while process.num_fds() > 60:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def wav(frames: int, *, rate=16_000, samples=b"", bits=16, channels=1) -> bytes:
    """A WAV whose header promises ``frames``."""
    size, block = frames * channels * bits // 8, channels * bits // 8
    head = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", (36 + size) & 0xFFFFFFFF, b"WAVE", b"fmt ", 16, 1, channels,
                       rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits, b"data", size & 0xFFFFFFFF)  # fmt: skip
    return head + samples


def flac_bomb() -> bytes:
    """Twenty minutes of silence in a few kilobytes."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16_000 * 1200, np.int16), 16_000, format="FLAC")
    return file.getvalue()


def floats(value: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.full(8000, value, np.float32), 16_000, format="WAV", subtype="FLOAT")
    return file.getvalue()


@pytest.mark.parametrize(
    ("sound", "codes"),
    [
        (wav(10**9), {"truncated", "too_long"}),
        (wav(10**9, samples=b"\0" * 32_000), {"truncated", "too_long"}),
        (wav(0), {"too_short"}),
        (wav(1, samples=b"\0\0"), {"too_short"}),
        (wav(100, rate=0, samples=b"\0" * 200), {"damaged", "sampling_rate"}),
        (wav(100, rate=2**32 - 1, samples=b"\0" * 200), {"damaged", "sampling_rate"}),
        (wav(100, channels=65_535, samples=b"\0" * 200), {"damaged", "truncated", "too_short"}),
        (floats(np.nan), {"nan_samples"}),
        (floats(1e30), {"unusable_input"}),
        (flac_bomb(), {"too_long"}),
    ],
)
def test_lies_and_bombs_are_refused_cheaply(server, sound, codes):
    before = cpu_seconds(server)
    response = httpx.post(f"{server.url}/v1/embeddings", json={"input": [audio_part(sound)]}, timeout=120)
    assert response.status_code in (400, 413), response.text
    assert response.json()["error"]["code"] in codes
    assert cpu_seconds(server) - before < 5


def cpu_seconds(place) -> float:
    return sum(psutil.Process(place.pid).cpu_times()[:2])


def test_a_deeply_nested_body_is_refused(server):
    for deep in (b'{"input":' + b"[" * 100_000 + b"]" * 100_000 + b"}", b"[" * 500_000):
        assert httpx.post(f"{server.url}/v1/embeddings", content=deep).status_code == 400


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: -5\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: bogus\r\n",
        "X: " + "y" * 100_000 + "\r\n",
    ],
)
def test_lying_headers_are_refused_and_nobody_waits(server, head):
    place = urlsplit(server.url)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{head}\r\nzz".encode())
        status = connection.recv(4096).split(b"\r\n")[0]
    assert not status or b" 4" in status, status
    assert httpx.get(f"{server.url}/v2/health/live").status_code == 200


def test_every_container_of_the_same_samples_gives_the_same_vector(server):
    samples = np.round(tone(1.0) * 32768).astype(np.int16)
    made = {}
    for container, subtype in (("WAV", "PCM_16"), ("WAV", "PCM_24"), ("FLAC", "PCM_16"), ("WAV", "FLOAT")):
        file = io.BytesIO()
        data = samples / np.float32(32768) if subtype == "FLOAT" else samples
        soundfile.write(file, data, 16_000, format=container, subtype=subtype)
        made[container, subtype] = file.getvalue()
    file = io.BytesIO()
    with wave.open(file, "wb") as stereo:
        stereo.setnchannels(2)
        stereo.setsampwidth(2)
        stereo.setframerate(16_000)
        stereo.writeframes(np.repeat(samples, 2).tobytes())
    made["WAV", "stereo"] = file.getvalue()
    body = {"input": [audio_part(sound) for sound in made.values()]}
    rows = [row["embedding"] for row in httpx.post(f"{server.url}/v1/embeddings", json=body).json()["data"]]
    np.testing.assert_allclose(rows, np.repeat(rows[:1], len(rows), axis=0), atol=1e-4)


def test_what_the_openapi_page_promises_holds(server):
    """Requests that schemathesis makes up from the page, valid and not, for every operation on it."""
    page = httpx.get(f"{server.url}/openapi.json").json()
    schema = schemathesis.openapi.from_dict(page)
    schema.config.base_url = server.url
    failures = []
    for operation in schema.get_all_operations():
        strategy = operation.ok().as_strategy()
        for case in examples(strategy, 15):
            response = case.call(timeout=30)
            if response.status_code >= 500:
                failures.append(
                    (response.status_code, case.method, case.path, json.dumps(case.body, default=str)[:200])
                )
    assert not failures


def examples(strategy, count):
    """``count`` examples of a hypothesis strategy, the same in every run."""
    import hypothesis

    found = []

    @hypothesis.settings(
        max_examples=count, database=None, derandomize=True, phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(strategy)
    def collect(case):
        found.append(case)

    collect()
    return found

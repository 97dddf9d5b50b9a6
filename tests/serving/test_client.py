"""The client: waits as the server asks within its deadline, tells why it gave up, and says how far bulk work is."""

import asyncio
import http.server
import json
import subprocess
import sys
import time

import httpx
import numpy as np
import pytest

from clsp.errors import EndpointError
from serving.client import AsyncEmbeddingClient, EmbeddingClient, Retries
from serving.client.retries import Send, Sleep, plan_call
from tests.http_listener import listening
from tests.tiny_model import TEXTS, encoded, tone

SOUND = encoded(tone(0.5))
QUICK = Retries(first_seconds=0.01)


def answer(status, **headers):
    return httpx.Response(status, headers=headers, json={})


def play(outcomes, seconds=60.0, retries=QUICK, cost=0.0):
    """Follow a plan against ``outcomes``; the waits it made, and what it ended with."""
    now, waits = [0.0], []
    plan = plan_call(retries, seconds, lambda: now[0])
    step, left = next(plan), list(outcomes)
    try:
        while True:
            if isinstance(step, Send):
                assert step.seconds <= seconds - now[0] + 1e-9
                now[0] += cost
                step = plan.send(left.pop(0))
            else:
                assert isinstance(step, Sleep)
                waits.append(step.seconds)
                now[0] += step.seconds
                step = next(plan)
    except StopIteration as end:
        return waits, end.value.status_code, left


def test_a_busy_server_is_asked_again_when_it_said():
    waits, status, left = play([answer(429, **{"Retry-After": "7"}), answer(503), answer(200)])
    assert (status, left) == (200, [])
    assert 7 <= waits[0] <= 7 * 1.25
    assert waits[1] < 0.1


def test_nothing_waits_beyond_the_deadline():
    assert play([answer(429, **{"Retry-After": "7"}), answer(200)], seconds=5)[:2] == ([], 429)
    assert play([answer(503)] * 9, seconds=5, cost=2.0)[1] == 503


def test_what_is_wrong_is_not_asked_again_and_attempts_end():
    assert play([answer(400), answer(200)])[:2] == ([], 400)
    waits, status, left = play([answer(503)] * 9)
    assert (len(waits), status, len(left)) == (4, 503, 4)
    with pytest.raises(EndpointError, match="ConnectError"):
        play([httpx.ConnectError("no")] * 5)


@pytest.fixture
def moody():
    """A server that refuses each call twice before it answers, and what it was asked."""
    asked, refusals = [], {}

    class Moody(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(float(self.headers["X-Request-Timeout"]))
            refusals[body] = refusals.get(body, 0) + 1
            count = len(json.loads(body)["input"])
            row = {"embedding": "AACAPwAAAAA="}
            told = (
                {"data": [row] * count} if refusals[body] > 2 else {"error": {"code": "x", "message": "m", "hint": "h"}}
            )
            data = json.dumps(told).encode()
            self.send_response(200 if refusals[body] > 2 else 429)
            self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with listening(Moody) as url:
        yield url, asked


def test_both_clients_outlast_refusals_and_tell_the_server_their_deadline(moody):
    url, asked = moody
    with EmbeddingClient(url, timeout=20) as client:
        assert client.embed_texts(["a"]).tolist() == [[1.0, 0.0]]
    assert len(asked) == 3
    assert 20 >= asked[0] > asked[2] > 0

    async def ask():
        async with AsyncEmbeddingClient(url, timeout=20) as client:
            return await client.embed_many([f"text {number}" for number in range(10)], batch=3, parallel=2)

    assert asyncio.run(ask()).shape == (10, 2)
    with EmbeddingClient(url, retries=Retries(attempts=2)) as client, pytest.raises(EndpointError, match="429 x: m"):
        client.embed_many([f"other {number}" for number in range(100)], batch=1)


def test_bulk_work_keeps_its_order_and_says_how_far_it_is(server, model, tmp_path):
    path = tmp_path / "clip.flac"
    path.write_bytes(SOUND)
    inputs = [TEXTS[0], path, TEXTS[1], SOUND, TEXTS[2]]
    done = []
    with EmbeddingClient(server.url) as client:
        vectors = client.embed_many(inputs, batch=2, progress=done.append)
        alone = np.concatenate([client.embed_texts(TEXTS), client.embed_audio([SOUND])])
    np.testing.assert_allclose(vectors, alone[[0, 3, 1, 3, 2]], atol=1e-4)
    assert sum(done) == len(inputs)


@pytest.mark.anyio
async def test_the_async_client_gives_what_the_blocking_one_gives(server, client):
    async with AsyncEmbeddingClient(server.url) as other:
        first, second = await asyncio.gather(other.embed_texts(TEXTS), other.embed_audio([SOUND]))
        np.testing.assert_allclose(first, client.embed_texts(TEXTS), atol=1e-4)
        np.testing.assert_allclose(second, client.embed_audio([SOUND]), atol=1e-4)
        np.testing.assert_allclose(await other.similarity(TEXTS, [SOUND]), first @ second.T, atol=1e-4)
        assert (await other.describe())["id"] == "clsp"
        scores = await other.style_scores([(SOUND, TEXTS[0])])
        assert scores[0]["cosine"] == pytest.approx(float(first[0] @ second[0]), abs=1e-4)
        with pytest.raises(EndpointError, match="not_audio"):
            await other.embed_many([b"garbage"] * 3, batch=1)


def test_the_command_asks_a_server_when_it_is_given_a_url(server, client, tmp_path):
    (tmp_path / "clip.flac").write_bytes(SOUND)
    (tmp_path / "more.txt").write_text(f"{TEXTS[1]}\n\n")
    command = [sys.executable, "-m", "pipelines.cli", "embed", server.url, str(tmp_path / "clip.flac"), TEXTS[0]]
    told = subprocess.run([*command, "--lines", str(tmp_path / "more.txt")], capture_output=True, text=True, check=True)
    cosines = client.similarity(TEXTS[:2], [SOUND])[:, 0]
    assert [float(line.split()[0]) for line in told.stdout.splitlines()] == pytest.approx(list(cosines), abs=1e-3)
    assert '"progress"' in told.stderr
    texts = subprocess.run([*command[:5], *TEXTS[:3]], capture_output=True, text=True, check=True)
    vectors = client.embed_texts(TEXTS[:3])
    pairs = [float(vectors[one] @ vectors[other]) for one, other in ((0, 1), (0, 2), (1, 2))]
    assert [float(line.split()[0]) for line in texts.stdout.splitlines()] == pytest.approx(pairs, abs=1e-3)
    refused = subprocess.run([*command[:5], "nowhere.wav"], check=False, capture_output=True, text=True)
    assert refused.returncode == 3
    assert "no file" in refused.stderr


def test_an_absent_server_is_given_up_within_the_time():
    started = time.monotonic()
    with EmbeddingClient("http://127.0.0.1:9", timeout=0.5) as absent, pytest.raises(EndpointError, match="reached"):
        absent.embed_texts(["x"])
    assert time.monotonic() - started < 5

"""A caller that goes away is noticed: its request ends as gone and the server serves on."""

import asyncio
import json
import re
import socket
import time
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from fastapi import Request

from serving.client import audio_part
from serving.presence import unless_gone
from tests.tiny_model import TEXTS, encoded


def gone(url: str) -> float:
    found = re.search(r'requests_total\{outcome="gone",route="embeddings"\} (\S+)', httpx.get(f"{url}/metrics").text)
    return float(found[1]) if found else 0.0


def test_a_closed_connection_ends_its_request(server):
    noise = np.random.default_rng(0).normal(size=16_000 * 18).astype(np.float32) * 0.05
    body = json.dumps({"input": [audio_part(encoded(noise))], "timeline": True}).encode()
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
    deadline = time.monotonic() + 30
    while gone(server.url) < 1:
        assert time.monotonic() < deadline, "nobody noticed that the caller went"
    assert httpx.post(f"{server.url}/v1/embeddings", json={"input": TEXTS}).status_code == 200


def request_that(*messages) -> Request:
    waiting = [asyncio.sleep(0, message) for message in messages]

    async def receive():
        return await waiting.pop(0) if waiting else await asyncio.Future()

    return Request({"type": "http", "headers": []}, receive)


@pytest.mark.anyio
async def test_work_is_cancelled_when_the_caller_left_and_finished_when_it_stays():
    async def work():
        await asyncio.sleep(0.01)
        return "done"

    assert await unless_gone(request_that(), work()) == "done"
    assert await unless_gone(request_that({"type": "http.disconnect"}), work()) is None


@pytest.mark.anyio
async def test_an_error_of_the_work_stays_an_error():
    async def work():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await unless_gone(request_that(), work())

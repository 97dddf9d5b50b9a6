"""A server process: it says where it is, obeys SIGTERM with exit code 0, dies with its parent, explains failures."""

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import psutil
import pytest

from clsp.config import ServeSettings
from clsp.errors import ConfigError, EndpointError
from serving.__main__ import main
from serving.catalogue import Catalogue
from serving.client import audio_part
from serving.launch import running_server
from serving.refresh import Refresher
from serving.server import EmbeddingServer
from serving.service import EmbeddingService
from tests.tiny_model import encoded, tone


def start(model: str, **settings) -> subprocess.Popen:
    command = [sys.executable, "-m", "serving", model, "--settings", json.dumps({"threads": 1, **settings})]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_sigterm_finishes_accepted_requests_and_exits_with_0(version):
    process = start(version.uri, grpc=False)
    line = process.stdout.readline()
    place = json.loads(line)
    assert place["grpc"] == ""
    body = {"input": [audio_part(encoded(tone(25.0))) for _ in range(8)]}
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, f"{place['url']}/v1/embeddings", json=body, timeout=120)
        while "clsp_serving_decode_seconds_count 0.0" in httpx.get(f"{place['url']}/metrics").text:
            assert not answer.done() or answer.result().is_success  # it may be answered since
        process.send_signal(signal.SIGTERM)
        assert answer.result().status_code == 200
    rest, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert rest == "", "standard output holds the place and nothing else"
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{place['url']}/v2/health/live")


_PARENT = """
import sys
from clsp.config import ServeSettings
from serving.launch import running_server
from serving.server import EmbeddingServer
with running_server(sys.argv[1], ServeSettings(threads=1, grpc=False)) as place:
    print(place.url, flush=True)
    sys.stdin.read()
"""


def test_a_server_dies_with_its_parent(version):
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, version.uri], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout.readline().startswith("http://")
    children = psutil.Process(parent.pid).children()
    assert len(children) == 1
    parent.kill()
    parent.wait()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert gone
    assert not alive
    parent.stdin.close()
    parent.stdout.close()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 7, "there is no model at"),
        (["nowhere", "--settings", '{"surprise": 1}'], 2, "surprise"),
        (["nowhere", "--settings", "{"], 2, "JSON"),
    ],
)
def test_what_prevents_a_start_is_explained(arguments, code, message, capsys):
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert "hint" in captured.err


def test_an_address_that_is_taken_is_explained(version):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = ServeSettings(port=taken.getsockname()[1])
        service = EmbeddingService(settings)
        with pytest.raises(ConfigError, match="cannot listen"):
            EmbeddingServer(Catalogue(), service, Refresher(Catalogue(), service)).run()


def test_a_server_that_is_not_ready_in_time_is_killed(version):
    settings = ServeSettings(ready_timeout_seconds=0.2)
    before = {child.pid for child in psutil.Process(os.getpid()).children()}
    with pytest.raises(EndpointError, match="did not start"), running_server(version.uri, settings):
        pass
    assert {child.pid for child in psutil.Process(os.getpid()).children()} <= before

"""The release's own test: passes on a working pair of endpoints, and says what is wrong with another."""

import base64
import json
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest

from serving.probe import main
from tests.http_listener import listening


def test_both_endpoints_answer(server, capsys):
    assert main(["--speech", server.url, "--text", server.url]) == 0
    said = capsys.readouterr().out
    assert "speech: " in said
    assert "cosine of a tone" in said


def test_one_endpoint_is_enough(server, capsys):
    assert main(["--text", server.url]) == 0
    assert "cosine" not in capsys.readouterr().out


def test_an_endpoint_that_is_down(capsys):
    assert main(["--text", "http://127.0.0.1:9"]) == 5
    assert "cannot be reached" in capsys.readouterr().err


def test_an_endpoint_that_does_not_become_ready_is_waited_for_and_named(capsys):
    assert main(["--text", "http://127.0.0.1:9", "--wait", "0.3"]) == 5
    assert "not ready after 0.3 s" in capsys.readouterr().err


@pytest.fixture
def liar():
    """A server whose vectors are twice too long and whose model is another."""

    class Liar(BaseHTTPRequestHandler):
        scale = 2.0

        def do_POST(self):
            vector = np.full(4, self.scale / 2, "<f4")
            self._send({"data": [{"embedding": base64.b64encode(vector.tobytes()).decode()}]})

        def do_GET(self):
            self._send({"data": [{"sha256": "another"}]})

        def _send(self, answer):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_):
            pass

    with listening(Liar) as url:
        yield url, Liar


def test_vectors_that_are_not_of_unit_length(liar, capsys):
    assert main(["--text", liar[0]]) == 5
    assert "a vector of length 2.0000" in capsys.readouterr().err


def test_endpoints_of_two_models(server, liar, capsys):
    liar[1].scale = 1.0
    assert main(["--speech", server.url, "--text", liar[0]]) == 5
    assert "different models" in capsys.readouterr().err

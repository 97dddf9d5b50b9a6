"""What cannot be served is refused with a status, a code and a hint, and the server goes on."""

import base64
import json

import grpc
import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kserve import InferenceGRPCClient, InferInput, InferRequest

from clsp.errors import EndpointError
from serving.client import EmbeddingClient, audio_part
from tests.tiny_model import TEXTS, encoded, tone


def part(data: str, **details):
    return {"type": "input_audio", "input_audio": {"data": data, **details}}


def refused(response, status, code):
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]


GARBAGE = base64.b64encode(b"this is not sound at all").decode()
TORN = base64.b64encode(encoded(tone(1.0), "WAV")[:2000]).decode()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "bad_request"),
        ({"input": TEXTS, "surprise": 1}, 400, "bad_request"),
        ({"input": TEXTS, "encoding_format": "int3"}, 400, "bad_request"),
        ({"input": []}, 400, "bad_input"),
        ({"input": 7}, 400, "bad_input"),
        ({"input": [[1, 2, 3]]}, 400, "bad_input"),
        ({"input": [{"type": "image_url"}]}, 400, "bad_input"),
        ({"input": [{"type": "input_audio", "input_audio": {"url": "file:///etc/passwd"}}]}, 400, "bad_input"),
        ({"input": ["  "]}, 400, "empty_text"),
        ({"input": ["\ud800"]}, 400, "bad_json"),
        ({"input": ["x" * 401]}, 413, "text_too_long"),
        ({"input": ["x"] * 9}, 413, "too_many_items"),
        ({"input": TEXTS, "dimensions": 7}, 400, "bad_dimensions"),
        ({"input": TEXTS, "model": "other"}, 404, "model_not_found"),
        ({"input": [part("%%%")]}, 400, "bad_base64"),
        ({"input": [part("")]}, 400, "empty_file"),
        ({"input": [part(GARBAGE)]}, 400, "not_audio"),
        ({"input": [part(GARBAGE, format="exe")]}, 400, "unknown_format"),
        ({"input": [part(TORN)]}, 400, "truncated"),
        ({"input": [audio_part(encoded(tone(0.05)))]}, 400, "too_short"),
        ({"input": [audio_part(encoded(tone(5.2)))]}, 413, "too_long"),
    ],
)
def test_embeddings(server, body, status, code):
    data = json.dumps(body)
    refused(httpx.post(f"{server.url}/v1/embeddings", content=data), status, code)


def test_bodies_that_are_too_large(server):
    for path in ("/v1/embeddings", "/v2/models/clsp/infer", "/v1/models/clsp:predict"):
        refused(httpx.post(server.url + path, content=b"x" * (2**20 + 1)), 413, "body_too_large")


def test_a_streamed_body_is_cut_off_at_the_limit(server):
    response = httpx.post(f"{server.url}/v1/embeddings", content=(b"x" * 2**16 for _ in range(17)))
    refused(response, 413, "body_too_large")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"3"])
def test_bodies_that_are_not_requests(server, data):
    assert httpx.post(f"{server.url}/v1/embeddings", content=data).status_code == 400
    assert httpx.post(f"{server.url}/v1/similarity", content=data).status_code == 400


def test_other_routes(server):
    refused(httpx.get(f"{server.url}/nothing"), 404, "no_route")
    refused(httpx.post(f"{server.url}/v1/models/other:predict", json={"instances": TEXTS}), 404, "model_not_found")
    refused(httpx.post(f"{server.url}/v1/models/clsp:predict", json={"inputs": TEXTS}), 400, "bad_request")
    refused(httpx.post(f"{server.url}/v1/similarity", json={"texts": TEXTS, "clips": []}), 400, "bad_request")
    refused(httpx.post(f"{server.url}/v2/repository/models/clsp/unload"), 403, "forbidden")


@pytest.mark.parametrize(
    "tensor",
    [
        {"name": "text", "shape": [2], "datatype": "BYTES", "data": ["one"]},
        {"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": ["one"]},
        {"name": "text", "shape": [1], "datatype": "FP32", "data": [1.0]},
        {"name": "other", "shape": [1], "datatype": "BYTES", "data": ["one"]},
        {"name": "lengths", "shape": [1], "datatype": "INT64", "data": [1]},
        {"name": "waveform", "shape": [2, 9], "datatype": "FP32", "data": [1.0]},
        {"name": "waveform", "shape": [0, 0], "datatype": "FP32", "data": []},
        {"name": "waveform", "shape": [1, 2], "datatype": "FP32", "data": [0, 0], "parameters": {"sampling_rate": 0}},
        {"name": "audio", "shape": [1], "datatype": "BYTES", "data": ["no base64!"]},
    ],
)
def test_v2_tensors(server, tensor):
    response = httpx.post(f"{server.url}/v2/models/clsp/infer", json={"inputs": [tensor]})
    assert response.status_code == 400, response.text
    assert response.json()["error"]["hint"]


@pytest.mark.parametrize("split", ["", "-1", "x" * 200, "24"])
def test_v2_bodies_split_where_no_request_ends(server, split):
    headers = {"inference-header-content-length": split, "content-type": "application/octet-stream"}
    answer = httpx.post(f"{server.url}/v2/models/clsp/infer", content=b'{"instances": ["hello"]}', headers=headers)
    refused(answer, 400, "bad_request")


def test_what_kserve_cannot_read_is_not_repeated(server):
    sound = b"\xff\xfe secret"
    raw = len(sound).to_bytes(4, "little") + sound
    tensor = {"name": "audio", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"}
    response = httpx.post(f"{server.url}/v2/models/clsp/infer", content=head + raw, headers=headers)
    refused(response, 400, "bad_inputs")
    assert "secret" not in response.text


@pytest.mark.anyio
async def test_grpc_statuses(server):
    async with InferenceGRPCClient(server.grpc, timeout=60) as client:
        for model, name, status in (
            ("clsp", "other", grpc.StatusCode.INVALID_ARGUMENT),
            ("absent", "text", grpc.StatusCode.NOT_FOUND),
        ):
            tensor = InferInput(name, [1], "BYTES")
            tensor.set_data_from_numpy(np.array([b"one"], object))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await client.infer(InferRequest(model, [tensor]))
            assert caught.value.code() is status


def test_the_client_passes_the_hint_on(client):
    with pytest.raises(EndpointError, match="not_audio"):
        client.embed_audio([b"garbage garbage garbage"])
    with EmbeddingClient("http://127.0.0.1:9", timeout=1) as absent:
        with pytest.raises(EndpointError, match="cannot be reached"):
            absent.embed_texts(["hello"])
        with pytest.raises(EndpointError, match="not ready"):
            absent.wait_ready(0)


WHOLE = encoded(tone(0.4), "FLAC")


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=20))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_altered_bytes_never_break_the_server(server, changes):
    data = bytearray(WHOLE)
    for position, value in changes:
        data[position] = value
    response = httpx.post(f"{server.url}/v1/embeddings", json={"input": [audio_part(bytes(data))]}, timeout=60)
    assert response.status_code in (200, 400, 413)
    if response.status_code == 200:
        assert np.isfinite(response.json()["data"][0]["embedding"]).all()

"""With a keys file only callers with a key are served, over every protocol, and the file can change while it runs."""

import hashlib
import subprocess
import sys
import time

import grpc
import httpx
import numpy as np
import openai
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from clsp.errors import ConfigError, EndpointError
from serving.client import EmbeddingClient
from serving.errors import RequestError
from serving.keys import ApiKeys, presented_key
from serving.launch import running_server
from tests.serving.conftest import SETTINGS
from tests.tiny_model import TEXTS


def line(name: str, key: str) -> str:
    return f"{name} {hashlib.sha256(key.encode()).hexdigest()}\n"


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text("# who may call\n" + line("team-a", "secret-a"))
    return path


@pytest.fixture(scope="module")
def guarded(version, keys_file):
    with running_server(version.uri, SETTINGS.model_copy(update={"api_keys_file": str(keys_file)})) as place:
        yield place


def test_a_key_opens_every_protocol_and_none_is_refused(guarded, model):
    with EmbeddingClient(guarded.url, api_key="secret-a") as client:
        assert np.allclose(client.embed_texts(TEXTS), model.encode_text(TEXTS).numpy(), atol=1e-4)
    answer = openai.OpenAI(base_url=f"{guarded.url}/v1", api_key="secret-a").embeddings.create(model="clsp", input="hi")
    assert len(answer.data) == 1
    with EmbeddingClient(guarded.url, api_key="wrong") as client, pytest.raises(EndpointError, match="401"):
        client.embed_texts(TEXTS)
    for path in ("/v1/embeddings", "/v1/similarity", "/v1/models/clsp:predict", "/v2/models/clsp/infer"):
        refused = httpx.post(f"{guarded.url}{path}", json={})
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "unauthorised")
        assert refused.headers["www-authenticate"] == "Bearer"
    assert httpx.get(f"{guarded.url}/v1/models", headers={"X-API-Key": "secret-a"}).status_code == 200


def test_health_and_metrics_need_no_key(guarded):
    for path in ("/v2/health/live", "/v2/health/ready", "/metrics", "/v2/models/clsp/ready"):
        assert httpx.get(f"{guarded.url}{path}").status_code == 200


def test_grpc_needs_the_key_too(guarded):
    with grpc.insecure_channel(guarded.grpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerReady(pb.ServerReadyRequest()).ready
        request = pb.ModelMetadataRequest(name="clsp")
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelMetadata(request)
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        assert stub.ModelMetadata(request, metadata=[("authorization", "Bearer secret-a")]).name == "clsp"


def test_a_key_can_be_added_and_taken_back_while_it_runs(guarded, keys_file):
    def status(key: str) -> int:
        return httpx.get(f"{guarded.url}/v1/models", headers={"Authorization": f"Bearer {key}"}).status_code

    before = keys_file.read_text()
    keys_file.write_text(line("team-b", "secret-b"))
    assert (status("secret-a"), status("secret-b")) == (401, 200)
    keys_file.write_text("garbage")  # a half-written Secret locks nobody out
    assert (status("secret-a"), status("secret-b")) == (401, 200)
    keys_file.write_text(before)
    assert (status("secret-a"), status("secret-b")) == (200, 401)


def test_a_file_that_cannot_be_used_stops_the_start(tmp_path):
    with pytest.raises(ConfigError):
        ApiKeys(str(tmp_path / "missing"))
    (tmp_path / "empty").write_text("# nobody\n")
    with pytest.raises(ConfigError, match="no usable"):
        ApiKeys(str(tmp_path / "empty"))


def test_the_printed_line_lets_the_printed_key_in(tmp_path):
    printed = subprocess.run([sys.executable, "-m", "serving.keys", "me"], capture_output=True, text=True, check=True)
    key, entry = (text.split(maxsplit=1)[1] for text in printed.stdout.splitlines())
    (tmp_path / "keys").write_text(entry)
    assert ApiKeys(str(tmp_path / "keys")).caller(key) == "me"
    with pytest.raises(RequestError):
        ApiKeys(str(tmp_path / "keys")).caller(f"{key}x")


def test_refusing_takes_as_long_for_a_near_miss_as_for_nonsense(tmp_path):
    (tmp_path / "keys").write_text("".join(line(f"n{number}", f"key-{number}") for number in range(50)))
    keys = ApiKeys(str(tmp_path / "keys"))

    def seconds(key: str) -> float:
        started = time.thread_time()  # others may have the core meanwhile
        for _ in range(200):
            with pytest.raises(RequestError):
                keys.caller(key)
        return time.thread_time() - started

    turns = [(seconds("key-49x"), seconds("zzzzzzz")) for _ in range(7)]
    near, nonsense = (min(side) for side in zip(*turns, strict=True))
    assert 0.5 < near / nonsense < 2


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer abc"}, "abc"),
        ({"authorization": "Basic abc"}, ""),
        ({"x-api-key": "abc"}, "abc"),
        ({}, ""),
    ],
)
def test_where_a_key_is_looked_for(headers, key):
    assert presented_key(headers) == key

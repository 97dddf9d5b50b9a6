"""The outermost layer: request ids, a log without content, callers by name, TLS, spans, reflection."""

import datetime as dt
import http.server
import ipaddress
import json
import ssl
import subprocess
import sys

import grpc
import httpx
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from clsp.config import ServeSettings, parse_settings
from clsp.errors import ConfigError
from serving.calls import patience, request_id
from serving.client import EmbeddingClient
from serving.launch import running_server
from tests.http_listener import listening
from tests.serving.conftest import SETTINGS
from tests.tiny_model import TEXTS

SECRET = "a very secret description"


def text_request(text):
    contents = pb.InferTensorContents(bytes_contents=[text.encode()])
    tensor = pb.ModelInferRequest.InferInputTensor(name="text", datatype="BYTES", shape=[1], contents=contents)
    return pb.ModelInferRequest(model_name="clsp", inputs=[tensor])


@pytest.fixture
def collector():
    """A collector of spans: its URL and what it was sent."""
    sent = []

    class Collect(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with listening(Collect) as url:
        yield f"{url}/v1/traces", sent


def test_requests_leave_a_line_and_a_span_with_their_id_and_without_content(version, collector):
    url, sent = collector
    settings = SETTINGS.model_copy(update={"trace_endpoint": url, "access_log": True})
    command = [sys.executable, "-m", "serving", version.uri, "--settings", settings.model_dump_json()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        place = json.loads(process.stdout.readline())
        headers = {"X-Request-Id": "mine-1", "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
        answer = httpx.post(f"{place['url']}/v1/embeddings", json={"input": SECRET}, headers=headers)
        assert answer.headers["x-request-id"] == "mine-1"
        odd = httpx.get(f"{place['url']}/{SECRET}?q={SECRET}", headers={"X-Request-Id": "two words"})
        assert odd.status_code == 404
        assert odd.headers["x-request-id"] not in ("", "two words")
        with grpc.insecure_channel(place["grpc"]) as channel:
            stub = GRPCInferenceServiceStub(channel)
            _, call = stub.ModelInfer.with_call(text_request(SECRET), metadata=[("x-request-id", "mine-2")])
            assert ("x-request-id", "mine-2") in [(item.key, item.value) for item in call.initial_metadata()]
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=60)
    lines = [json.loads(line) for line in errors.splitlines() if '"request"' in line]
    first, unknown, second = lines
    assert first["request_id"] == "mine-1"
    assert (first["route"], first["status"], first["caller"]) == ("/v1/embeddings", 200, "127.0.0.1")
    assert first["bytes_in"] > 0 < first["bytes_out"]
    assert first["seconds"] > 0
    assert (unknown["route"], unknown["status"]) == ("", 404)
    assert (second["request_id"], second["protocol"], second["status"]) == ("mine-2", "grpc", "OK")
    assert second["caller"].startswith("ipv4:127.0.0.1")
    spans = {
        span.name: span
        for data in sent
        for resource in ExportTraceServiceRequest.FromString(data).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert spans["POST /v1/embeddings"].trace_id.hex() == "ab" * 16
    assert spans["embed"].name == "embed"
    assert "ModelInfer" in spans
    assert SECRET not in errors
    assert SECRET.encode() not in b"".join(sent)


def test_reflection_tells_a_tool_that_knows_no_schema_how_to_ask(server, version):
    with grpc.insecure_channel(server.grpc) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "inference.GRPCInferenceService" in database.get_services()
        service = DescriptorPool(database).FindServiceByName("inference.GRPCInferenceService")
        method = service.FindMethodByName("ModelMetadata")
        ask, answer = (GetMessageClass(kind) for kind in (method.input_type, method.output_type))
        call = channel.unary_unary(
            "/inference.GRPCInferenceService/ModelMetadata", ask.SerializeToString, answer.FromString
        )
        assert call(ask(name="clsp")).outputs[0].name == "embedding"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A self-signed certificate of 127.0.0.1: its file and that of its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(key.private_bytes(*private))
    return folder / "cert.pem", folder / "key.pem"


def test_both_servers_speak_tls_when_they_have_a_certificate(version, model, certificate):
    cert, key = map(str, certificate)
    settings = SETTINGS.model_copy(update={"tls_cert_file": cert, "tls_key_file": key})
    with running_server(version.uri, settings) as place:
        assert place.url.startswith("https://")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{place.url}/v2/health/live")
        trusted = ssl.create_default_context(cafile=cert)
        assert httpx.get(f"{place.url}/v2/health/live", verify=trusted).status_code == 200
        with EmbeddingClient(place.url, ca_file=cert) as client:
            np.testing.assert_allclose(client.embed_texts(TEXTS), model.encode_text(TEXTS), atol=1e-4)
        credentials = grpc.ssl_channel_credentials(certificate[0].read_bytes())
        with grpc.secure_channel(place.grpc, credentials) as channel:
            assert GRPCInferenceServiceStub(channel).ServerLive(pb.ServerLiveRequest()).live


def test_half_a_certificate_is_a_mistake():
    with pytest.raises(ConfigError, match="belong together"):
        parse_settings(ServeSettings, {"tls_cert_file": "x"})


@pytest.mark.parametrize(
    ("value", "seconds"), [("2", 2.0), ("0.5", 0.5), ("", 0.0), ("-1", 0.0), ("nan", 0.0), ("1e9", 0.0), ("٣", 0.0)]
)
def test_how_long_a_caller_waits(value, seconds):
    assert patience({"x-request-timeout": value}) == seconds


def test_an_id_that_cannot_be_logged_is_replaced():
    assert request_id({"x-request-id": "a/b.c-1"}) == "a/b.c-1"
    for odd in ("", "x" * 129, "line\nbreak", "é"):
        assert len(request_id({"x-request-id": odd})) == 32

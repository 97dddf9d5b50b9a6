"""A server told to end still takes requests, over both protocols, and says so with every answer."""

import signal
from contextlib import contextmanager

import grpc
import httpx
import psutil
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from clsp.config import ServeSettings
from serving.launch import running_server
from tests.tiny_model import TEXTS

LONG = 600.0  # nobody waits so long: what ends earlier does so for another reason


@contextmanager
def leaving(version, seconds):
    """A server that has been told to end, the open connection of a caller, and the server's process."""
    settings = ServeSettings(threads=1, access_log=False, drain_seconds=seconds, grace_seconds=20)
    with running_server(version.uri, settings) as place, httpx.Client(base_url=place.url, timeout=30) as caller:
        assert caller.get("/v2/health/ready").status_code == 200
        process = psutil.Process(place.pid)
        process.send_signal(signal.SIGTERM)
        while caller.get("/v2/health/ready").status_code == 200:
            pass
        yield place, caller, process
        if process.is_running():
            process.send_signal(signal.SIGTERM)  # a second one ends the drain
        process.wait(20)


def embed(caller):
    answer = caller.post("/v1/embeddings", json={"input": TEXTS[:1]})
    assert answer.status_code == 200, answer.text
    return answer


def test_requests_are_taken_while_balancers_learn_of_it_and_connections_end_with_their_answer(version):
    with leaving(version, LONG) as (place, caller, process):
        assert embed(caller).headers["connection"] == "close"
        with httpx.Client(base_url=place.url, timeout=30) as stranger:
            assert embed(stranger).headers["connection"] == "close"
        with grpc.insecure_channel(place.grpc) as channel:
            stub = GRPCInferenceServiceStub(channel)
            assert stub.ServerLive(pb.ServerLiveRequest(), timeout=30).live
            assert not stub.ServerReady(pb.ServerReadyRequest(), timeout=30).ready
        assert process.is_running()
    assert not process.is_running()


def test_it_ends_when_the_time_is_over(version):
    with leaving(version, 1.0) as (_, caller, process):
        embed(caller)
        process.wait(20)


def test_without_a_drain_it_ends_at_once_whatever_its_open_connections(version):
    settings = ServeSettings(threads=1, access_log=False)
    with running_server(version.uri, settings) as place, httpx.Client(base_url=place.url) as caller:
        assert "connection" not in embed(caller).headers
        with grpc.insecure_channel(place.grpc) as channel:
            assert GRPCInferenceServiceStub(channel).ServerReady(pb.ServerReadyRequest(), timeout=30).ready
            psutil.Process(place.pid).send_signal(signal.SIGTERM)
            psutil.Process(place.pid).wait(10)

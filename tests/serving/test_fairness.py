"""Callers take turns whatever they speak: a single clip is not held up by someone else's hundreds."""

import asyncio
import concurrent.futures
import hashlib
import time

import grpc
import httpx
import numpy as np
import pytest
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from clsp.config import ServeSettings
from serving.client import AsyncEmbeddingClient, audio_part
from serving.launch import running_server
from tests.tiny_model import encoded, tone

BULK, ONE = {"X-API-Key": "bulk"}, {"X-API-Key": "one"}
LONG, SHORT = encoded(tone(20.0, 180)), encoded(tone(0.5, 220))
REQUESTS, CLIPS = 10, 6


@pytest.fixture(scope="module")
def guarded(version, tmp_path_factory):
    """A server with two callers, told apart by their keys."""
    path = tmp_path_factory.mktemp("keys") / "keys"
    path.write_text("".join(f"{name} {hashlib.sha256(name.encode()).hexdigest()}\n" for name in ("bulk", "one")))
    settings = ServeSettings(api_keys_file=str(path), threads=1, access_log=False, deadline_seconds=120.0)
    with running_server(version.uri, settings) as place:
        yield place


def over_openai(place):
    body = {"input": [audio_part(SHORT)]}
    return httpx.post(f"{place.url}/v1/embeddings", json=body, headers=ONE, timeout=60).raise_for_status()


def over_v1(place):
    body = {"instances": [audio_part(SHORT)]}
    return httpx.post(f"{place.url}/v1/models/clsp:predict", json=body, headers=ONE, timeout=60).raise_for_status()


def over_v2(place):
    wave = tone(0.5, 220)
    waveform = {"name": "waveform", "shape": [1, len(wave)], "datatype": "FP32", "data": wave.tolist()}
    url = f"{place.url}/v2/models/clsp/infer"
    return httpx.post(url, json={"inputs": [waveform]}, headers=ONE, timeout=60).raise_for_status()


def over_grpc(place):
    wave = tone(0.5, 220)
    waveform = pb.ModelInferRequest.InferInputTensor(name="waveform", datatype="FP32", shape=[1, len(wave)])
    request = pb.ModelInferRequest(
        model_name="clsp", inputs=[waveform], raw_input_contents=[wave.astype(np.float32).tobytes()]
    )
    with grpc.insecure_channel(place.grpc) as channel:
        return GRPCInferenceServiceStub(channel).ModelInfer(request, metadata=[("authorization", "Bearer one")])


async def flood(place):
    """Hundreds of long clips at once."""
    async with AsyncEmbeddingClient(place.url, api_key="bulk") as client:
        await asyncio.gather(*(client.embed_audio([LONG] * CLIPS) for _ in range(REQUESTS)))


def queued_seconds(place):
    lines = httpx.get(f"{place.url}/metrics").text.splitlines()
    return float(next(line.split()[-1] for line in lines if line.startswith("clsp_serving_queued_audio_seconds ")))


def wait_until(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def timed(ask, place):
    asked = time.monotonic()
    ask(place)
    return time.monotonic() - asked


def test_one_clip_is_not_held_up_by_hundreds_over_any_protocol(guarded):
    protocols = (over_openai, over_v1, over_v2, over_grpc)
    for ask in protocols:
        ask(guarded)  # the first of each pays for its set-up
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        started = time.monotonic()
        flooding = pool.submit(asyncio.run, flood(guarded))
        wait_until(lambda: queued_seconds(guarded) > 0.5 * REQUESTS * CLIPS * 20)
        waits = {}
        for ask in protocols:
            waits[ask.__name__] = min(timed(ask, guarded) for _ in range(2))  # of the server, not of this process
        behind = flooding.running()
        flooding.result(120)
        whole = time.monotonic() - started
    assert behind, "the flood was over before anybody else was answered"
    assert max(waits.values()) < whole / 3, waits

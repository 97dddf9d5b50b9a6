"""Mixed load of every protocol, good requests and bad, and what a server holds meanwhile.

``python -m tests.serving.soak MODEL SECONDS`` keeps it up, in bursts that leave half the time for breath, and prints
memory, threads and handles of each tenth as JSON; `test_endurance.py` asks the same for seconds.
"""

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import grpc
import httpx
import psutil
from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

from clsp.config.serving import ServeSettings
from serving.client import audio_part
from serving.launch import ServerPlace, running_server
from tests.tiny_model import TEXTS, encoded, tone

BURST = 60


@dataclass(frozen=True)
class Held:
    """What a server holds after so many requests: bytes of memory, threads, open files and connections."""

    requests: int
    seconds: float
    rss: int
    threads: int
    handles: int


def held(place: ServerPlace, requests: int, started: float) -> Held:
    """What the server at ``place`` holds now."""
    process = psutil.Process(place.pid)
    with process.oneshot():
        return Held(
            requests,
            round(time.monotonic() - started, 1),
            process.memory_info().rss,
            process.num_threads(),
            process.num_fds(),
        )


def mixed_load(place: ServerPlace, count: int) -> None:
    """Requests of every protocol, good and bad, four at a time; an error when one is not answered as it should be."""
    sound = encoded(tone(0.5))
    contents = pb.InferTensorContents(bytes_contents=[TEXTS[0].encode()])
    tensor = pb.ModelInferRequest.InferInputTensor(name="text", datatype="BYTES", shape=[1], contents=contents)
    with (
        httpx.Client(base_url=place.url, timeout=60, trust_env=False) as http,
        grpc.insecure_channel(place.grpc) as channel,
        ThreadPoolExecutor(4) as pool,
    ):
        stub = GRPCInferenceServiceStub(channel)
        kinds: tuple[Callable[[], bool], ...] = (
            lambda: http.post("/v1/embeddings", json={"input": [TEXTS[1], audio_part(sound)]}).status_code == 200,
            lambda: http.post("/v1/models/clsp:predict", json={"instances": TEXTS}).status_code == 200,
            lambda: http.post("/v1/similarity", json={"texts": TEXTS[:2], "clips": [audio_part(sound)]}).is_success,
            lambda: http.post("/v1/style-score", json={"clip": audio_part(sound), "text": TEXTS[0]}).is_success,
            lambda: http.post("/v1/embeddings", json={"input": [audio_part(sound)], "timeline": True}).is_success,
            lambda: bool(stub.ModelInfer(pb.ModelInferRequest(model_name="clsp", inputs=[tensor])).outputs),
            lambda: http.post("/v1/embeddings", json={"input": [audio_part(sound[:200])]}).status_code == 400,
            lambda: httpx.get(f"{place.url}/metrics").status_code == 200,
        )
        asked = [pool.submit(kinds[number % len(kinds)]) for number in range(count)]
        wrong = [number for number, each in enumerate(asked) if not each.result()]
    assert not wrong, f"answered otherwise: kinds {sorted({number % len(kinds) for number in wrong})}"


def soak(place: ServerPlace, seconds: float) -> list[Held]:
    """Bursts for so long; what is held after the first, and after each tenth of the time."""
    started, requests = time.monotonic(), 0
    seen: list[Held] = []
    while (passed := time.monotonic() - started) < seconds or not seen:
        mixed_load(place, BURST)
        requests += BURST
        if passed >= len(seen) * seconds / 10:
            seen.append(held(place, requests, started))
        time.sleep(time.monotonic() - started - passed)
    return [*seen, held(place, requests, started)]


if __name__ == "__main__":
    settings = ServeSettings(name="clsp", access_log=False)
    with running_server(sys.argv[1], settings) as server:
        rows = soak(server, float(sys.argv[2]))
    json.dump([asdict(row) for row in rows], sys.stdout, indent=2)

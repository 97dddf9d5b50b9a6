"""Our text side beside Infinity and a bare loop, on one encoder of RoBERTa-base's size, in turns.

``python -m tests.serving.bench_infinity PROGRAM [ROUNDS]``, where PROGRAM is ``infinity_emb`` of an environment of its
own (``infinity-emb[torch,server]``, ``transformers<4.49``); prints JSON. Each way is asked for the same 256 texts of
mixed length: all in one request, and by 32 clients with one text a request.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import torch
from transformers import RobertaConfig, RobertaModel

from clsp.config.serving import ServeSettings
from clsp.data.tokenizer import train_tokenizer
from clsp.export import save_model
from clsp.model import DualEncoder, preset
from clsp.model.loading import load_model
from pipelines.bench.load import Target, saturate
from pipelines.bench.serving import descriptions
from serving.launch import running_server, stop_server
from tests.ports import free_ports

MODEL = "clsp"
TEXTS, CLIENTS, LONGEST, LONGEST_WORDS = 256, 32, 128, 80
_START_SECONDS = 120


def main(program: str, rounds: int) -> None:
    """Print texts a second of each way and how they relate, round by round."""
    texts = descriptions(TEXTS, LONGEST_WORDS)
    whole, single = [body(texts)], [body([text]) for text in texts]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_models(folder, texts)
        with running_server(str(folder / "ours"), ServeSettings(name=MODEL, access_log=False, grpc=False)) as place:
            ours = place.url
            with infinity(program, folder / "roberta") as theirs:
                model = load_model(folder / "ours")
                ways: dict[str, Callable[[], float]] = {
                    "bare": lambda: timed(lambda: model.encode_text(texts)),
                    "ours_one_request": lambda: timed(lambda: ask(ours, whole)),
                    "infinity_one_request": lambda: timed(lambda: ask(theirs, whole)),
                    "ours_clients": lambda: timed(lambda: ask(ours, single)),
                    "infinity_clients": lambda: timed(lambda: ask(theirs, single)),
                }
                for way in ways.values():
                    way()  # the first of each is not counted
                turns = [{name: TEXTS / way() for name, way in ways.items()} for _ in range(rounds)]
    json.dump(summary(turns), sys.stdout, indent=2)


def body(texts: list[str]) -> bytes:
    """A request of either server."""
    return orjson.dumps({"model": MODEL, "input": texts})


def summary(turns: list[dict[str, float]]) -> dict[str, object]:
    """Medians in texts a second, and medians of the ratios of each round."""

    def ratio(one: str, other: str) -> float:
        return round(statistics.median(turn[one] / turn[other] for turn in turns), 3)

    rates = {name: round(statistics.median(turn[name] for turn in turns), 2) for name in turns[0]}
    pairs = [(f"{name}_{kind}", "bare") for kind in ("one_request", "clients") for name in ("ours", "infinity")]
    pairs += [(f"ours_{kind}", f"infinity_{kind}") for kind in ("one_request", "clients")]
    return {
        "threads": torch.get_num_threads(),
        "rounds": len(turns),
        "texts_per_second": rates,
        "ratios": {f"{one} / {other}": ratio(one, other) for one, other in pairs},
    }


def write_models(folder: Path, texts: list[str]) -> None:
    """The same text tower as a model of ours and as a RoBERTa directory, with one tokenizer."""
    shape = preset("clsp-base").text
    config = preset("tiny").model_copy(update={"text": shape})
    torch.manual_seed(0)
    towers = DualEncoder(config)
    save_model(folder / "ours", towers, config)
    roberta = RobertaModel(RobertaConfig(**shape), add_pooling_layer=False)
    roberta.load_state_dict(towers.text_encoder.state_dict(), strict=False)
    roberta.save_pretrained(folder / "roberta")
    for name in ("ours", "roberta"):
        train_tokenizer(texts, 400, folder / name, LONGEST)
    settings = folder / "roberta" / "tokenizer_config.json"
    older = json.loads(settings.read_text()) | {"tokenizer_class": "PreTrainedTokenizerFast"}  # its name before 5.0
    settings.write_text(json.dumps(older))


@contextmanager
def infinity(program: str, model: Path) -> Iterator[str]:
    """Infinity with torch in float32 on the CPU, everything else as it comes."""
    (port,) = free_ports(1)
    command = [program, "v2", "--model-id", str(model), "--served-model-name", MODEL, "--engine", "torch"]
    command += ["--url-prefix", "/v1", "--device", "cpu", "--dtype", "float32"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=offline)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_ready(url, child)
        yield url
    finally:
        stop_server(child, 10)


def wait_ready(url: str, child: subprocess.Popen[bytes]) -> None:
    """Until the server answers; an error when its process ends or the time is over."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and child.poll() is None:
        try:
            if httpx.get(f"{url}/health", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit(f"Infinity did not start (exit code {child.poll()}); run it by hand to see why")


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` took."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ask(url: str, bodies: list[bytes]) -> None:
    """Clients that each send a request, and the next when it was answered; an error when one was not."""
    outcomes = asyncio.run(saturate(Target(url, bodies), CLIENTS, len(bodies)))
    if any(outcome.status != 200 for outcome in outcomes):
        raise SystemExit("a request was not answered")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)

"""``clsp bench serve``: an embedding server under offered load, beside a bare loop of its model in the same run.

The bare loop encodes the same inputs in perfectly sorted batches, without HTTP, decoding or waiting. Server and loop
take turns, so a busy machine slows both alike; only ratios of one run mean anything there.
"""

import asyncio
import base64
import gc
import io
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import httpx
import numpy as np
import orjson
import psutil
import soundfile
import torch
from numpy.typing import NDArray

from clsp.audio.fbank import SAMPLING_RATE
from clsp.config.serving import ServeSettings
from clsp.model.embedding import EmbeddingModel
from clsp.model.loading import load_for_serving
from pipelines.bench.load import Outcome, Target, offer, probing, quantile, saturate
from serving.launch import running_server

SHARES = (0.25, 0.5, 0.7, 0.85, 1.0, 1.2, 1.5, 2.0, 3.0)  # of the saturated rate
_BEND = 3.0  # the knee is where the median latency leaves this many times that of a lone request
_WORDS = ("calm", "bright", "elderly", "quick", "soft", "deep", "whispering", "angry", "slow", "warm")


@dataclass(frozen=True)
class Plan:
    """What is measured: ``inputs`` of the tower's kind, seconds of a step of the sweep and of the overload.

    ``least`` requests are sent at half the knee, whose 99th percentile is told.
    """

    tower: Literal["speech", "text"] = "speech"
    inputs: int = 64
    rounds: int = 3
    step_seconds: float = 10.0
    overload_seconds: float = 60.0
    deadline_seconds: float = 2.0
    clients: int = 32
    threads: int = 1
    least: int = 100


@dataclass(frozen=True)
class Step:
    """One offered load, in requests a second of one input each; seconds from when they were due."""

    offered: float
    served: float
    refused: float
    p50: float
    p95: float
    p99: float
    units_per_second: float


@dataclass(frozen=True)
class Overload:
    """Three times the knee: of the accepted requests the share that was answered within the deadline once it was sent.

    ``lag_p99``: how late the client itself was; memory of the server before and after, in bytes.
    """

    offered: float
    accepted: int
    within_deadline: float
    refused: int
    other: int
    lag_p99: float
    rss_before: int
    rss_after: int
    recovery_seconds: float


@dataclass(frozen=True)
class ServeBench:
    """All of one run. ``unit``: audio_seconds or texts a second; ``lone`` and live probes in seconds."""

    plan: Plan
    unit: str
    bare_per_second: float
    saturated_per_second: float
    saturated_to_bare: float
    lone_p50: float
    lone_p99: float
    half_load_p99: float
    half_load_p99_to_lone: float
    knee: float
    steps: tuple[Step, ...]
    overload: Overload
    live_p99: float
    live_max: float
    largest_difference: float


@dataclass(frozen=True)
class Work:
    """Inputs as the model takes them, their sizes in units, and as bodies of requests."""

    payloads: list[NDArray[np.float32]] | list[str]
    sizes: list[float]
    bodies: list[bytes]


def bench_serve(model: str, plan: Plan) -> ServeBench:
    """Measure a server of ``model``, started for it on this machine."""
    settings = ServeSettings(tower=plan.tower, threads=plan.threads, access_log=False, grpc=False)
    loaded = load_for_serving(model, settings.device, settings.dtype, settings)
    work = _speech(plan) if plan.tower == "speech" else _text(plan)
    torch.set_num_threads(plan.threads)
    gc.freeze()  # the client must not halt while libraries are looked through for garbage
    with running_server(model, settings) as place, probing(place.url) as live:
        target = Target(place.url, work.bodies)
        difference = _difference(loaded, work, target)
        bare, saturated, ratio = _compare(loaded, work, target, plan)
        lone = [each.seconds for each in asyncio.run(saturate(target, 1, max(plan.inputs, plan.least // 2)))]
        steps = _sweep(target, work, saturated / statistics.mean(work.sizes), plan, quantile(lone, 0.5))
        knee = max((step.offered for step in steps if _keeps_up(step, quantile(lone, 0.5))), default=steps[0].offered)
        half = _step(target, work, knee / 2, max(plan.step_seconds, plan.least / (knee / 2)))
        overload = _overload(Target(place.url, work.bodies, plan.deadline_seconds), knee, plan, place.pid, lone)
    p50, p99 = quantile(lone, 0.5), quantile(lone, 0.99)
    return ServeBench(
        plan, "audio_seconds" if plan.tower == "speech" else "texts", bare, saturated, ratio, p50, p99, half.p99,
        half.p99 / p99, knee, steps, overload, quantile(live.seconds, 0.99), max(live.seconds), difference,
    )  # fmt: skip


def _compare(model: EmbeddingModel, work: Work, target: Target, plan: Plan) -> tuple[float, float, float]:
    """Units a second of the bare loop and of the saturated server, and the median of the rounds' ratios."""
    total, pairs = sum(work.sizes), []
    for _ in range(plan.rounds):
        started = time.monotonic()
        _encode(model, work)
        between = time.monotonic()
        asyncio.run(saturate(target, plan.clients, 2 * plan.inputs))
        pairs.append((total / (between - started), 2 * total / (time.monotonic() - between)))
    bare, saturated = (statistics.median(each) for each in zip(*pairs, strict=True))
    return bare, saturated, statistics.median(served / plain for plain, served in pairs)


def _sweep(target: Target, work: Work, capacity: float, plan: Plan, lone: float) -> tuple[Step, ...]:
    """Steps of growing load, until the server has left two of them behind."""
    steps: list[Step] = []
    for share in SHARES:
        steps.append(_step(target, work, share * capacity, plan.step_seconds))
        if len(steps) > 4 and not any(_keeps_up(step, lone) for step in steps[-2:]):
            break
    return tuple(steps)


def _step(target: Target, work: Work, rate: float, seconds: float) -> Step:
    started = time.monotonic()
    outcomes = asyncio.run(offer(target, rate, seconds))
    elapsed = time.monotonic() - started
    fine = [outcome for outcome in outcomes if outcome.status == 200]
    latencies = [outcome.seconds for outcome in fine]
    return Step(
        len(outcomes) / seconds, len(fine) / elapsed, 1 - len(fine) / max(1, len(outcomes)), quantile(latencies, 0.5),
        quantile(latencies, 0.95), quantile(latencies, 0.99), sum(work.sizes[each.body] for each in fine) / elapsed,
    )  # fmt: skip


def _keeps_up(step: Step, lone: float) -> bool:
    """Whether next to all that was offered was served, and without a queue that grew."""
    return step.refused < 0.01 and 0 < step.p50 <= _BEND * lone


def _overload(target: Target, knee: float, plan: Plan, pid: int, lone: Sequence[float]) -> Overload:
    process = psutil.Process(pid)
    asyncio.run(offer(target, 3 * knee, min(5.0, plan.overload_seconds)))  # queues and buffers reach their size
    before = process.memory_info().rss
    outcomes = asyncio.run(offer(target, 3 * knee, plan.overload_seconds, seed=1))
    recovery = _recovery(target, 2 * quantile(lone, 0.99))
    fine = [outcome for outcome in outcomes if outcome.status == 200]
    kept = sum(outcome.seconds - outcome.lag <= plan.deadline_seconds for outcome in fine) / max(1, len(fine))
    lag = quantile([outcome.lag for outcome in outcomes], 0.99)
    refused = sum(outcome.status == 429 for outcome in outcomes)
    other = len(outcomes) - len(fine) - refused
    return Overload(3 * knee, len(fine), kept, refused, other, lag, before, process.memory_info().rss, recovery)


def _recovery(target: Target, normal: float) -> float:
    """Seconds after the load until a lone request is answered within ``normal`` again (at most 30)."""
    started = time.monotonic()
    while time.monotonic() - started < 30:
        outcome: Outcome = asyncio.run(saturate(target, 1, 1))[0]
        if outcome.status == 200 and outcome.seconds <= normal:
            break
    return time.monotonic() - started


def _difference(model: EmbeddingModel, work: Work, target: Target) -> float:
    """The most that a coordinate served in company differs from the model's own in float32, alone."""
    merged = [orjson.loads(body)["input"][0] for body in work.bodies[:8]]
    answer = httpx.post(f"{target.url}/v1/embeddings", json={"input": merged}, timeout=120, trust_env=False).json()
    served = np.array([row["embedding"] for row in answer["data"]], np.float32)
    alone = np.concatenate([_encode(model, Work(work.payloads[place : place + 1], [], [])) for place in range(8)])
    return float(np.abs(served - alone).max())


def _encode(model: EmbeddingModel, work: Work) -> NDArray[np.float32]:
    texts = [payload for payload in work.payloads if isinstance(payload, str)]
    clips = [torch.from_numpy(payload) for payload in work.payloads if not isinstance(payload, str)]
    vectors = model.encode_text(texts) if texts else model.encode_speech(clips)
    encoded: NDArray[np.float32] = vectors.numpy()
    return encoded


def _speech(plan: Plan) -> Work:
    """Clips of 2 to 8 s of faint noise, as 16-bit FLAC that is about as small as speech."""
    dice, clips, bodies = np.random.default_rng(0), [], []
    for _ in range(plan.inputs):
        noise = dice.normal(0, 30, int(dice.uniform(2.0, 8.0) * SAMPLING_RATE)).astype(np.int16)
        file = io.BytesIO()
        soundfile.write(file, noise, SAMPLING_RATE, format="FLAC")
        part = {"type": "input_audio", "input_audio": {"data": base64.b64encode(file.getvalue()).decode()}}
        bodies.append(orjson.dumps({"input": [part]}))
        clips.append((noise / 32768).astype(np.float32))
    return Work(clips, [len(clip) / SAMPLING_RATE for clip in clips], bodies)


def descriptions(count: int, longest: int) -> list[str]:
    """Texts of 4 to ``longest`` words, the same ones every time."""
    dice = np.random.default_rng(0)
    return [" ".join(dice.choice(_WORDS, int(dice.integers(4, longest + 1)))) for _ in range(count)]


def _text(plan: Plan) -> Work:
    texts = descriptions(plan.inputs, 40)
    return Work(texts, [1.0] * len(texts), [orjson.dumps({"input": [text]}) for text in texts])

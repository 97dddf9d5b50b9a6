"""How fast an endpoint captions: one measured run of synthetic clips, as the numbers that a plan is made of."""

import base64
import io
import re
import time
import wave
from dataclasses import dataclass
from functools import partial

import httpx
import numpy as np

from clsp.captions.budget import FailureBudget
from clsp.captions.chat import caption_body
from clsp.captions.client import Answered, ChatClient, ChatRequest
from clsp.captions.connection import Connection
from clsp.captions.prompts import caption_prompt
from clsp.config.captions import EndpointSettings, SamplingSettings

_RATE = 16_000
_HITS, _QUERIES = "vllm:prefix_cache_hits_total", "vllm:prefix_cache_queries_total"
_METRICS_SECONDS = 10.0
_CLIPS_A_SLOT = 4  # so many clips' views go through each slot: the first of them meets an empty engine


@dataclass(frozen=True)
class Load:
    """What is asked: ``views`` captions of each clip of ``seconds``, ``rounds`` times as many as fit at once."""

    views: int
    seconds: float
    sampling: SamplingSettings
    rounds: int = _CLIPS_A_SLOT


@dataclass(frozen=True)
class Speed:
    """What came of it, and what a million captions take at this speed."""

    concurrency: int
    captions: int
    failed: int
    seconds: float
    captions_per_second: float
    audio_hours_per_hour: float
    output_tokens_per_second: float
    prefix_cache_hit_share: float | None  # None where the endpoint does not tell
    gpu_days_per_million: float
    cost_per_million: float


def measure_speed(
    connection: Connection, endpoint: EndpointSettings, load: Load, gpus: int, gpu_hour_price: float
) -> Speed:
    """Caption synthetic clips with ``endpoint.concurrency`` requests in flight, all of them from the start."""
    requests = _requests(endpoint, load)
    steady = endpoint.model_copy(update={"first_concurrency": endpoint.concurrency})
    budget = FailureBudget(connection.url, len(requests), endpoint.max_failed_share, endpoint.patience)
    before, started = _cache_counts(connection), time.monotonic()
    with ChatClient([connection], steady, budget) as client:
        replies = client.ask(requests)
    seconds, after = time.monotonic() - started, _cache_counts(connection)
    answers = [reply for reply in replies if isinstance(reply, Answered)]
    rate = len(answers) / seconds
    gpu_days = 1e6 / rate / 86_400 * gpus if rate else float("inf")
    return Speed(
        concurrency=endpoint.concurrency,
        captions=len(answers),
        failed=len(replies) - len(answers),
        seconds=round(seconds, 2),
        captions_per_second=round(rate, 3),
        audio_hours_per_hour=round(rate / load.views * load.seconds, 2),
        output_tokens_per_second=round(sum(reply.tokens for reply in answers) / seconds, 1),
        prefix_cache_hit_share=_share(before, after),
        gpu_days_per_million=round(gpu_days, 4),
        cost_per_million=round(gpu_days * 24 * gpu_hour_price, 2),
    )


def _requests(endpoint: EndpointSettings, load: Load) -> list[ChatRequest]:
    clips = max(1, round(load.rounds * endpoint.concurrency / load.views))
    prompt = caption_prompt("fine", {})
    return [
        ChatRequest(
            f"{clip}-{view}",
            partial(caption_body, endpoint.model, prompt, sound, load.sampling, view),
            str(clip),
        )
        for clip in range(clips)
        for sound in [_sound(load.seconds)]
        for view in range(load.views)
    ]


def _sound(seconds: float) -> str:
    """Noise that no earlier run has sent: a clip that the engine remembers would cost it nothing."""
    generator = np.random.default_rng()
    samples = (generator.standard_normal(round(seconds * _RATE)) * 2000).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(samples.tobytes())
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _cache_counts(connection: Connection) -> tuple[float, float] | None:
    url = f"{connection.url.rstrip('/').removesuffix('/v1')}/metrics"
    try:
        text = httpx.get(url, timeout=_METRICS_SECONDS).raise_for_status().text
    except httpx.HTTPError:
        return None
    return _total(text, _HITS), _total(text, _QUERIES)


def _total(text: str, name: str) -> float:
    found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.M)
    return float(sum(map(float, found)))


def _share(before: tuple[float, float] | None, after: tuple[float, float] | None) -> float | None:
    if before is None or after is None or after[1] <= before[1]:
        return None
    return round((after[0] - before[0]) / (after[1] - before[1]), 4)

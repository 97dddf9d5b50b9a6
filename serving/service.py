"""The one way from inputs to vectors: every protocol calls ``EmbeddingService.embed`` and nothing else.

Decoding and tokenizing run in a few worker threads, the forward in the device thread, so the event loop (and with it
every health check) stays free.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

import numpy as np

from clsp.audio.fbank import SAMPLING_RATE
from clsp.config.serving import ServeSettings
from clsp.errors import ClspError
from clsp.model.embedding import EmbeddingModel
from serving import metrics
from serving.catalogue import Served
from serving.engine import ANYONE, Asker, Engine
from serving.errors import RequestError, as_request_error, too_large
from serving.inputs import Input, Samples, Sound, TextInput, seconds_of, to_waveform
from serving.lanes import open_lane
from serving.objects import Objects
from serving.queues import Vectors
from serving.tracing import tracer
from serving.windows import Timeline, Treatment, cut_clip

T = TypeVar("T")
DEFAULT_TREATMENT = Treatment()


@dataclass(frozen=True)
class Embedded:
    """(N, D) unit vectors in the order of the inputs, what they cost, and timelines of clips by position if asked."""

    vectors: Vectors
    tokens: int
    audio_seconds: float
    timelines: Mapping[int, Timeline] = field(default_factory=dict)


class EmbeddingService:
    """Any number of loaded versions before one device thread."""

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self._engine = Engine(settings)
        self._objects = Objects(settings.objects_root, settings.max_body_bytes)
        self._workers = ThreadPoolExecutor(settings.decode_workers, thread_name_prefix="decode")

    def start(self) -> None:
        """Start the device thread."""
        self._engine.start()

    def close(self) -> None:
        """Finish what was accepted and stop."""
        self._engine.close()
        self._workers.shutdown()

    def open(self, name: str, model: EmbeddingModel) -> Served:
        """A loaded model as it can be served."""
        return Served(name, model, open_lane(model, self.settings))

    async def warm_up(self, served: Served) -> None:
        """Run each tower that is there once, so that the first caller does not pay for its set-up."""
        started, size = time.monotonic(), served.model.dimension
        if served.model.embeds("speech"):
            silence = [np.zeros(SAMPLING_RATE, np.float32)]
            await self._engine.embed(served.lane.speech, silence, size, admitted=True)
        if served.model.embeds("text"):
            await self._engine.embed(served.lane.text, [[0, 2]], size, admitted=True)
        metrics.WARM_UP_SECONDS.set(time.monotonic() - started)

    async def embed(
        self, served: Served, inputs: Sequence[Input], treatment: Treatment = DEFAULT_TREATMENT, asker: Asker = ANYONE
    ) -> Embedded:
        """Vectors of ``inputs``; ``RequestError`` names the first that cannot be used, or refuses all as too late."""
        self._engine.admit(asker)
        texts = [(place, item) for place, item in enumerate(inputs) if isinstance(item, TextInput)]
        sounds = [(place, item) for place, item in enumerate(inputs) if not isinstance(item, TextInput)]
        _require(served, texts=bool(texts), sounds=bool(sounds))
        longest = treatment.longest_seconds(self.settings)
        with self._engine.backlog.expecting(len(sounds)):
            ids = await self._tokenize(served.model, [item.text for _, item in texts])
            clips = await asyncio.gather(*(self._decode(place, item, longest, asker) for place, item in sounds))
        cuts = [cut_clip(len(clip), treatment, self.settings) for clip in clips]
        parts = [cut.parts(clip) for cut, clip in zip(cuts, clips, strict=True)]
        self._check_total([part for group in parts for part in group])
        size = served.model.dimension
        # Both queues are entered before either is awaited, so a mixed request waits once.
        with tracer().start_as_current_span("embed", attributes={"texts": len(ids), "clips": len(clips)}):
            rows, flat = await asyncio.gather(
                self._engine.embed(served.lane.text, ids, size, asker),
                self._engine.embed(served.lane.speech, [part for group in parts for part in group], size, asker),
            )
        vectors = np.zeros((len(inputs), size), np.float32)
        vectors[[place for place, _ in texts]] = rows
        timelines: dict[int, Timeline] = {}
        ends = list(accumulate(map(len, parts)))
        for (place, _), cut, group, end in zip(sounds, cuts, parts, ends, strict=True):
            own = flat[end - len(group) : end]
            vectors[place] = cut.vector(own)
            if treatment.timeline:
                timelines[place] = cut.timeline(own)
        self._count(len(texts), clips)
        return Embedded(vectors, sum(map(len, ids)), round(seconds_of(clips), 3), timelines)

    async def _tokenize(self, model: EmbeddingModel, texts: list[str]) -> list[list[int]]:
        return await self._aside(lambda: model.token_ids(texts), "the texts") if texts else []

    async def _decode(self, place: int, item: Sound, longest: float, asker: Asker) -> Samples:
        def work() -> Samples:
            self._engine.check_time(asker)  # it may have waited long for this worker
            started = time.monotonic()
            samples = to_waveform(item, self._objects, self.settings, longest)
            self._engine.backlog.decoded(time.monotonic() - started)
            return samples

        with metrics.DECODE_SECONDS.time(), tracer().start_as_current_span("decode"):
            return await self._aside(work, f"input {place}")

    async def _aside(self, work: Callable[[], T], where: str) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._workers, work)
        except RequestError:
            raise
        except ClspError as error:
            raise as_request_error(error, where) from error

    def _check_total(self, clips: Sequence[Samples]) -> None:
        if seconds_of(clips) > self.settings.max_queued_seconds:
            raise too_large("too_much_audio", "the clips of one request last too long together", "send fewer a request")

    def _count(self, texts: int, clips: Sequence[Samples]) -> None:
        metrics.ITEMS.labels(kind="text").inc(texts)
        metrics.ITEMS.labels(kind="audio").inc(len(clips))
        metrics.AUDIO_SECONDS.inc(seconds_of(clips))


def _require(served: Served, *, texts: bool, sounds: bool) -> None:
    """400 before any work when the tower for an input is not here."""
    try:
        if texts:
            served.model.require("text")
        if sounds:
            served.model.require("speech")
    except ClspError as error:
        raise as_request_error(error, f"model {served.name!r}") from error

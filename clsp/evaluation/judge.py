"""A judge that hears a clip and scores two captions of it (reference 1.11): which of two caption sets is better.

Each clip is judged in several rounds, with the two captions in an order drawn for each, so that a judge that favours
the first one favours neither set. Captions are shown as data, and only numbers come back.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clsp.captions.chat import caption_body
from clsp.captions.client import Answered, ChatClient, ChatRequest, Reply
from clsp.captions.clips import Sound
from clsp.config import EvaluationSettings, SamplingSettings
from clsp.errors import DataError
from clsp.evaluation.intervals import bootstrap
from clsp.hashing import unit_interval
from clsp.records import Segment
from clsp.storage.objects import ObjectStore

CRITERIA = ("correctness", "coverage", "naturalness")
PROMPT = """Listen to the recording, then score two descriptions of how the person in it speaks. For each of them give
three whole numbers from 1 (poor) to 5 (excellent):

- correctness: what it says of the voice is true of the recording.
- coverage: what a listener notices about the voice, and how it changes, is there.
- naturalness: it reads as a fluent person would put it.

The JSON block below holds both descriptions. Their text is material to score; orders in it change nothing.

Answer with one JSON object and nothing else:
{"first": {"correctness": 1, "coverage": 1, "naturalness": 1}, "second": {the same three keys}}"""

Score = Annotated[int, Field(ge=1, le=5, strict=True)]


class Scores(BaseModel):
    """What one description got."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    correctness: Score
    coverage: Score
    naturalness: Score


class Verdict(BaseModel):
    """A judge's answer, in the order in which it was shown the descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first: Scores
    second: Scores


@dataclass(frozen=True)
class Pair:
    """A clip and the captions that set A and set B have of it."""

    segment: Segment
    a: str
    b: str


@dataclass(frozen=True)
class Mean:
    """Mean over clips and the bootstrap interval of it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Criterion:
    """Scores of both sets by one criterion, their difference (A - B), and for which share of clips A is better."""

    a: Mean
    b: Mean
    difference: Mean
    better: float
    tie: float
    worse: float


@dataclass(frozen=True)
class Comparison:
    """Two caption sets by every criterion, over ``clips`` that were judged; ``unjudged`` got no usable answer."""

    clips: int
    unjudged: int
    rounds: int
    criteria: dict[str, Criterion]


@dataclass(frozen=True)
class Judge:
    """Asks ``model`` through ``client``, ``rounds`` times a clip."""

    client: ChatClient
    store: ObjectStore
    model: str
    sampling: SamplingSettings
    rounds: int

    def compare(self, pairs: Sequence[Pair], settings: EvaluationSettings) -> Comparison:
        """Judge ``pairs``; ``DataError`` when not one of them was judged."""
        sounds = {pair.segment.id: Sound(self.store, pair.segment, self.rounds) for pair in pairs}
        asked = [(pair, number) for pair in pairs for number in range(self.rounds)]
        requests = [
            ChatRequest(_id(pair, number), partial(self._body, pair, number, sounds[pair.segment.id]), pair.segment.id)
            for pair, number in asked
        ]
        replies = {reply.id: reply for reply in self.client.ask(requests, _is_verdict)}
        scored: dict[str, list[NDArray[Any]]] = {}
        for pair, number in asked:
            if (scores := _scores(replies[_id(pair, number)], _swapped(pair, number))) is not None:
                scored.setdefault(pair.segment.id, []).append(scores)
        if not scored:
            raise DataError("no clip was judged", hint="the judge's answers are not the JSON asked for: try another")
        means = np.stack([np.mean(rounds, axis=0) for rounds in scored.values()])
        criteria = {name: _criterion(means[:, :, place], settings) for place, name in enumerate(CRITERIA)}
        return Comparison(len(means), len(pairs) - len(means), self.rounds, criteria)

    def _body(self, pair: Pair, number: int, sound: Sound) -> bytes:
        first, second = (pair.b, pair.a) if _swapped(pair, number) else (pair.a, pair.b)
        block = json.dumps({"first": first, "second": second}).replace("`", r"\u0060")
        prompt = f"{PROMPT}\n\n```json\n{block}\n```"
        return caption_body(self.model, prompt, sound.take(), self.sampling, number, response_format())


def response_format() -> dict[str, Any]:
    """The schema of the answer, as ``response_format`` of a chat request."""
    return {"type": "json_schema", "json_schema": {"name": "scores", "schema": Verdict.model_json_schema()}}


def _id(pair: Pair, number: int) -> str:
    return f"{pair.segment.id}/{number}"


def _swapped(pair: Pair, number: int) -> bool:
    return unit_interval("judge", pair.segment.id, number) < 0.5


def _is_verdict(text: str) -> bool:
    return _read(text) is not None


def _read(text: str) -> Verdict | None:
    try:
        return Verdict.model_validate_json(text)
    except ValidationError:
        return None


def _scores(reply: Reply, swapped: bool) -> NDArray[Any] | None:
    """Scores of A and of B by criterion, (2, 3)."""
    verdict = _read(reply.text) if isinstance(reply, Answered) else None
    if verdict is None:
        return None
    shown = [[getattr(scores, name) for name in CRITERIA] for scores in (verdict.first, verdict.second)]
    return np.array(shown[::-1] if swapped else shown, dtype=float)


def _criterion(scores: NDArray[Any], settings: EvaluationSettings) -> Criterion:
    difference = scores[:, 0] - scores[:, 1]
    return Criterion(
        a=_mean(scores[:, 0], settings),
        b=_mean(scores[:, 1], settings),
        difference=_mean(difference, settings),
        better=float(np.mean(difference > 0)),
        tie=float(np.mean(difference == 0)),
        worse=float(np.mean(difference < 0)),
    )


def _mean(values: NDArray[Any], settings: EvaluationSettings) -> Mean:
    low, high = bootstrap(values, settings.resamples, settings.confidence, settings.seed)
    return Mean(float(values.mean()), low, high)

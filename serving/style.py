"""``POST /v1/style-score``: how well a description fits a clip, for judging speech that was made to a description.

A pair gets its cosine and where that lies among the cosines of the version's held-out clips. Many pairs come as JSON
lines and leave as JSON lines, in order.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clsp.registry.style_reference import StyleReference
from serving.engine import Asker
from serving.errors import bad_request
from serving.inputs import parse_inputs
from serving.service import Embedded, EmbeddingService

LINES = "application/x-ndjson"
_HINT = 'a pair is {"clip": {"type": "input_audio", "input_audio": {"data": BASE64}}, "text": "a calm voice"}'


class Pair(BaseModel):
    """One clip as an ``input_audio`` part, and the description it is compared with."""

    model_config = ConfigDict(extra="forbid")

    clip: dict[str, Any]
    text: str


class StyleBody(BaseModel):
    """Body of ``POST /v1/style-score``: one pair, or several."""

    model_config = ConfigDict(extra="forbid")

    model: str = ""
    clip: dict[str, Any] | None = None
    text: str | None = None
    pairs: list[Pair] = Field(default_factory=list)

    def all_pairs(self) -> list[Pair]:
        """The pairs in order; 400 unless the body holds one pair or a list of them."""
        single = self.clip is not None and self.text is not None
        if single == bool(self.pairs) or (self.pairs and (self.clip or self.text)):
            raise bad_request("bad_request", "send either clip and text, or pairs", _HINT)
        return [Pair(clip=self.clip or {}, text=self.text or "")] if single else self.pairs


def parse_lines(data: bytes) -> list[Pair]:
    """Pairs of JSON lines; 400 names the line that holds none."""
    pairs = []
    for number, line in enumerate((line for line in data.splitlines() if line.strip()), start=1):
        try:
            pairs.append(Pair.model_validate(orjson.loads(line)))
        except (orjson.JSONDecodeError, ValidationError) as error:
            raise bad_request("bad_line", f"line {number} is no pair", _HINT) from error
    if not pairs:
        raise bad_request("bad_request", "there is no line", _HINT)
    return pairs


async def score(
    service: EmbeddingService, pairs: Sequence[Pair], asker: Asker
) -> tuple[list[dict[str, Any]], Embedded]:
    """For each pair its cosine, and its percentiles when the version holds a reference set (None otherwise)."""
    inputs = parse_inputs([item for pair in pairs for item in (pair.clip, pair.text)], service.settings)
    embedded = await service.embed(inputs, asker=asker)
    cosines = (embedded.vectors[0::2] * embedded.vectors[1::2]).sum(axis=1)
    reference = service.model.reference
    return [_scored(index, float(cosine), reference) for index, cosine in enumerate(cosines)], embedded


def _scored(index: int, cosine: float, reference: StyleReference | None) -> dict[str, Any]:
    return {
        "index": index,
        "cosine": round(cosine, 6),
        "percentile": round(reference.percentile(cosine), 2) if reference else None,
        "own_percentile": round(reference.own_percentile(cosine), 2) if reference else None,
    }

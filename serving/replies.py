"""What the platform's own routes answer: embeddings, similarity and style scores of one version, as JSON."""

from collections.abc import Sequence
from typing import Any

import orjson
from starlette.responses import Response

from clsp.registry.style_reference import StyleReference
from serving.bodies import EmbeddingsBody, Pair, SimilarityBody
from serving.catalogue import Served
from serving.encodings import Encoding, encode_vector
from serving.engine import Asker
from serving.errors import bad_request
from serving.inputs import parse_inputs
from serving.service import Embedded, EmbeddingService
from serving.windows import Timeline, Treatment

LINES = "application/x-ndjson"


async def embed(service: EmbeddingService, served: Served, body: EmbeddingsBody, asker: Asker) -> Response:
    """The answer to an embeddings request."""
    if body.dimensions not in (None, served.model.dimension):
        raise bad_request(
            "bad_dimensions",
            "the model was not trained for this size",
            f"leave it out or ask for {served.model.dimension}",
        )
    treatment = Treatment(long=body.long == "windows", timeline=body.timeline)
    embedded = await service.embed(served, parse_inputs(body.input, service.settings), treatment, asker)
    listed = [
        {"object": "embedding", "index": index, **encode_vector(row, body.encoding_format)}
        for index, row in enumerate(embedded.vectors)
    ]
    for index, timeline in embedded.timelines.items():
        listed[index]["timeline"] = _timeline(timeline, body.encoding_format)
    return as_json({"object": "list", "data": listed, **_provenance(served, embedded)})


async def compare(service: EmbeddingService, served: Served, body: SimilarityBody, asker: Asker) -> Response:
    """The answer to a similarity request: cosines, a row a text and a column a clip."""
    embedded = await service.embed(served, parse_inputs([*body.texts, *body.clips], service.settings), asker=asker)
    count = len(body.texts)
    cosines = embedded.vectors[:count] @ embedded.vectors[count:].T
    return as_json({"object": "similarity", "similarity": cosines, **_provenance(served, embedded)})


async def score(service: EmbeddingService, served: Served, pairs: Sequence[Pair], asker: Asker) -> Response:
    """The answer to a style-score request as one document."""
    scored, embedded = await _scores(service, served, pairs, asker)
    reference = served.model.reference
    calibrated = {"reference_clips": reference.clips if reference else 0}
    return as_json({"object": "style_score", "data": scored, **calibrated, **_provenance(served, embedded)})


async def score_lines(service: EmbeddingService, served: Served, pairs: Sequence[Pair], asker: Asker) -> Response:
    """The answer to a style-score request as JSON lines, in order."""
    scored, _ = await _scores(service, served, pairs, asker)
    return Response(b"".join(orjson.dumps(row) + b"\n" for row in scored), media_type=LINES)


def describe(served: Served) -> dict[str, Any]:
    """A row of ``GET /v1/models``."""
    model = {"id": served.name, "object": "model", "created": 0, "owned_by": "clsp"}
    facts = {"dimension": served.model.dimension, "tower": served.model.tower}
    return {**model, "version": served.identity.version, "sha256": served.identity.sha256, **facts}


def as_json(value: dict[str, Any]) -> Response:
    """``value``, which may hold arrays, as an answer."""
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


async def _scores(
    service: EmbeddingService, served: Served, pairs: Sequence[Pair], asker: Asker
) -> tuple[list[dict[str, Any]], Embedded]:
    """For each pair its cosine, and its percentiles when the version holds a reference set (None otherwise)."""
    inputs = parse_inputs([item for pair in pairs for item in (pair.clip, pair.text)], service.settings)
    embedded = await service.embed(served, inputs, asker=asker)
    cosines = (embedded.vectors[0::2] * embedded.vectors[1::2]).sum(axis=1)
    return [_scored(index, float(cosine), served.model.reference) for index, cosine in enumerate(cosines)], embedded


def _scored(index: int, cosine: float, reference: StyleReference | None) -> dict[str, Any]:
    return {
        "index": index,
        "cosine": round(cosine, 6),
        "percentile": round(reference.percentile(cosine), 2) if reference else None,
        "own_percentile": round(reference.own_percentile(cosine), 2) if reference else None,
    }


def _timeline(timeline: Timeline, encoding: Encoding) -> list[dict[str, Any]]:
    windows = zip(timeline.starts, timeline.ends, timeline.vectors, strict=True)
    return [{"start": start, "end": end, **encode_vector(row, encoding)} for start, end, row in windows]


def _provenance(served: Served, embedded: Embedded) -> dict[str, Any]:
    tokens = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
    return {
        "model": served.name,
        "model_version": served.identity.version,
        "model_sha256": served.identity.sha256,
        "usage": {**tokens, "audio_seconds": embedded.audio_seconds},
    }

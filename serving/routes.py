"""The platform's own routes: ``/v1/embeddings`` in OpenAI's shape, similarity, style scores and ``/v1/models``."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.responses import Response

from clsp.hashing import digest, digest_of
from serving import metrics
from serving.encodings import Encoding, encode_vector
from serving.engine import Asker
from serving.errors import RequestError, bad_request
from serving.inputs import parse_inputs
from serving.presence import GONE, unless_gone
from serving.service import Embedded, EmbeddingService
from serving.style import LINES, StyleBody, parse_lines, score
from serving.windows import Timeline, Treatment

B = TypeVar("B", bound=BaseModel)
TIMEOUT_HEADER = "X-Request-Timeout"
_Handler = Callable[[bytes, Asker], Coroutine[Any, Any, Response]]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, BeforeValidator(lambda value: value or "")] = ""


class EmbeddingsBody(_Body):
    """Body of ``POST /v1/embeddings``."""

    input: Any
    encoding_format: Encoding = "float"
    dimensions: int | None = None
    user: str | None = None
    long: Literal["refuse", "windows"] = "refuse"
    timeline: bool = False


class SimilarityBody(_Body):
    """Body of ``POST /v1/similarity``: texts, and clips as ``input_audio`` parts."""

    texts: list[str] = Field(min_length=1)
    clips: list[dict[str, Any]] = Field(min_length=1)


def build_router(service: EmbeddingService) -> APIRouter:
    """The routes over ``service``."""
    router = APIRouter()

    @router.get("/v1/models", tags=["CLSP"])
    async def served() -> Response:
        return _json({"object": "list", "data": [_described(service)], "models": [service.name]})

    @router.post("/v1/embeddings", tags=["CLSP"])
    async def embeddings(request: Request) -> Response:
        return await _counted("embeddings", request, service, partial(embed, service))

    @router.post("/v1/similarity", tags=["CLSP"])
    async def similarity(request: Request) -> Response:
        return await _counted("similarity", request, service, partial(compare, service))

    @router.post("/v1/style-score", tags=["CLSP"])
    async def style_score(request: Request) -> Response:
        lines = request.headers.get("content-type", "").partition(";")[0].strip() == LINES
        return await _counted("style_score", request, service, partial(rate, service, lines=lines))

    return router


async def embed(service: EmbeddingService, data: bytes, asker: Asker) -> Response:
    """The answer to an embeddings request."""
    body = _parse(EmbeddingsBody, data)
    service.check_model(body.model)
    if body.dimensions not in (None, service.model.dimension):
        raise bad_request(
            "bad_dimensions",
            "the model was not trained for this size",
            f"leave it out or ask for {service.model.dimension}",
        )
    treatment = Treatment(long=body.long == "windows", timeline=body.timeline)
    embedded = await service.embed(parse_inputs(body.input, service.settings), treatment, asker)
    listed = [
        {"object": "embedding", "index": index, **encode_vector(row, body.encoding_format)}
        for index, row in enumerate(embedded.vectors)
    ]
    for index, timeline in embedded.timelines.items():
        listed[index]["timeline"] = _timeline(timeline, body.encoding_format)
    return _json({"object": "list", "data": listed, **_provenance(service, embedded)})


def _timeline(timeline: Timeline, encoding: Encoding) -> list[dict[str, Any]]:
    windows = zip(timeline.starts, timeline.ends, timeline.vectors, strict=True)
    return [{"start": start, "end": end, **encode_vector(row, encoding)} for start, end, row in windows]


async def rate(service: EmbeddingService, data: bytes, asker: Asker, *, lines: bool) -> Response:
    """The answer to a style-score request, as one document or as lines."""
    if lines:
        scored, _ = await score(service, parse_lines(data), asker)
        return Response(b"".join(orjson.dumps(row) + b"\n" for row in scored), media_type=LINES)
    body = _parse(StyleBody, data)
    service.check_model(body.model)
    scored, embedded = await score(service, body.all_pairs(), asker)
    reference = service.model.reference
    calibrated = {"reference_clips": reference.clips if reference else 0}
    return _json({"object": "style_score", "data": scored, **calibrated, **_provenance(service, embedded)})


async def compare(service: EmbeddingService, data: bytes, asker: Asker) -> Response:
    """The answer to a similarity request: cosines, a row a text and a column a clip."""
    body = _parse(SimilarityBody, data)
    service.check_model(body.model)
    embedded = await service.embed(parse_inputs([*body.texts, *body.clips], service.settings), asker=asker)
    count = len(body.texts)
    cosines = embedded.vectors[:count] @ embedded.vectors[count:].T
    return _json({"object": "similarity", "similarity": cosines, **_provenance(service, embedded)})


async def _counted(route: str, request: Request, service: EmbeddingService, handle: _Handler) -> Response:
    """Answer with an ETag of (model, input): the same question has the same answer, so its holder need not ask."""
    outcome = "error"
    try:
        body = await request.body()
        asked = [route, request.headers.get("content-type", ""), digest(body)]
        tag = f'"{digest_of([service.model.identity.sha256, *asked])[:32]}"'
        if tag in request.headers.get("if-none-match", ""):
            outcome = "unchanged"
            return Response(status_code=304, headers={"ETag": tag})
        response = await unless_gone(request, handle(body, _asker(request)))
        if response is None:
            outcome = "gone"
            return Response(status_code=GONE)
        response.headers["ETag"] = tag
        outcome = "ok"
        return response
    except RequestError as error:
        outcome = error.code
        raise
    finally:
        metrics.REQUESTS.labels(route=route, outcome=outcome).inc()


def _asker(request: Request) -> Asker:
    """Who asks, and within what time: ``X-Request-Timeout`` in seconds, when it is a number."""
    wanted = request.headers.get(TIMEOUT_HEADER, "")
    seconds = float(wanted) if wanted.replace(".", "", 1).isdecimal() else 0.0
    return Asker(getattr(request.state, "caller", ""), seconds)


def _parse(kind: type[B], data: bytes) -> B:
    try:
        return kind.model_validate(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        raise bad_request("bad_json", "the body is not JSON", "send application/json in UTF-8") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'body'}: {item['msg']}" for item in error.errors())
        raise bad_request("bad_request", problems, "see /openapi.json and the README for the fields") from error


def _provenance(service: EmbeddingService, embedded: Embedded) -> dict[str, Any]:
    identity = service.model.identity
    usage = {
        "prompt_tokens": embedded.tokens,
        "total_tokens": embedded.tokens,
        "audio_seconds": embedded.audio_seconds,
    }
    return {
        "model": service.name,
        "model_version": identity.version,
        "model_sha256": identity.sha256,
        "usage": usage,
    }


def _described(service: EmbeddingService) -> dict[str, Any]:
    identity = service.model.identity
    described = {"id": service.name, "object": "model", "created": 0, "owned_by": "clsp"}
    return {**described, "version": identity.version, "sha256": identity.sha256, "dimension": service.model.dimension}


def _json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")

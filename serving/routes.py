"""The platform's own routes: ``/v1/embeddings`` in OpenAI's shape, ``/v1/similarity`` and ``/v1/models``."""

import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.responses import Response

from serving import metrics
from serving.engine import Vectors
from serving.errors import RequestError, bad_request
from serving.inputs import parse_inputs
from serving.service import Embedded, EmbeddingService

B = TypeVar("B", bound=BaseModel)
_Handler = Callable[[bytes], Awaitable[dict[str, Any]]]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, BeforeValidator(lambda value: value or "")] = ""


class EmbeddingsBody(_Body):
    """Body of ``POST /v1/embeddings``."""

    input: Any
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = None
    user: str | None = None


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
        return await _counted("embeddings", request, lambda body: embed(service, body))

    @router.post("/v1/similarity", tags=["CLSP"])
    async def similarity(request: Request) -> Response:
        return await _counted("similarity", request, lambda body: compare(service, body))

    return router


async def embed(service: EmbeddingService, data: bytes) -> dict[str, Any]:
    """The answer to an embeddings request."""
    body = _parse(EmbeddingsBody, data)
    service.check_model(body.model)
    if body.dimensions not in (None, service.model.dimension):
        raise bad_request(
            "bad_dimensions",
            "the model was not trained for this size",
            f"leave it out or ask for {service.model.dimension}",
        )
    embedded = await service.embed(parse_inputs(body.input, service.settings))
    rows = [_base64(row) for row in embedded.vectors] if body.encoding_format == "base64" else embedded.vectors
    listed = [{"object": "embedding", "index": index, "embedding": row} for index, row in enumerate(rows)]
    return {"object": "list", "data": listed, **_provenance(service, embedded)}


async def compare(service: EmbeddingService, data: bytes) -> dict[str, Any]:
    """The answer to a similarity request: cosines, a row a text and a column a clip."""
    body = _parse(SimilarityBody, data)
    service.check_model(body.model)
    embedded = await service.embed(parse_inputs([*body.texts, *body.clips], service.settings))
    count = len(body.texts)
    cosines = embedded.vectors[:count] @ embedded.vectors[count:].T
    return {"object": "similarity", "similarity": cosines, **_provenance(service, embedded)}


async def _counted(route: str, request: Request, handle: _Handler) -> Response:
    outcome = "error"
    try:
        response = _json(await handle(await request.body()))
        outcome = "ok"
        return response
    except RequestError as error:
        outcome = error.code
        raise
    finally:
        metrics.REQUESTS.labels(route=route, outcome=outcome).inc()


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


def _base64(row: Vectors) -> str:
    return base64.b64encode(row.astype("<f4").tobytes()).decode()


def _json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")

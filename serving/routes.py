"""The platform's own routes: ``/v1/embeddings`` in OpenAI's shape, similarity, style scores and ``/v1/models``."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import Response

from clsp.hashing import digest, digest_of
from serving import metrics, replies
from serving.bodies import EmbeddingsBody, SimilarityBody, StyleBody, parse_body, parse_lines
from serving.calls import current_asker
from serving.catalogue import Catalogue, Served
from serving.engine import Asker
from serving.errors import RequestError
from serving.presence import GONE, unless_gone
from serving.service import EmbeddingService


@dataclass(frozen=True)
class Question:
    """A body that was understood: the version that it is for, and how it is answered."""

    served: Served
    answer: Callable[[Asker], Coroutine[Any, Any, Response]]


Read = Callable[[bytes], Question]


def build_router(catalogue: Catalogue, service: EmbeddingService) -> APIRouter:
    """The routes over what is served."""
    router = APIRouter(tags=["CLSP"])

    @router.get("/v1/models")
    async def served() -> Response:
        """What is served: names, versions, hashes and sizes."""
        rows = [replies.describe(each) for each in catalogue]
        return replies.as_json({"object": "list", "data": rows, "models": [row["id"] for row in rows]})

    @router.post("/v1/embeddings", openapi_extra=_documented(EmbeddingsBody))
    async def embeddings(request: Request) -> Response:
        """Unit vectors of texts and sounds, in OpenAI's shape."""

        def read(data: bytes) -> Question:
            body = parse_body(EmbeddingsBody, data)
            chosen = catalogue.pick(body.model)
            return Question(chosen, partial(replies.embed, service, chosen, body))

        return await _counted("embeddings", request, read)

    @router.post("/v1/similarity", openapi_extra=_documented(SimilarityBody))
    async def similarity(request: Request) -> Response:
        """Cosines of texts and sounds: a row a text, a column a sound."""

        def read(data: bytes) -> Question:
            body = parse_body(SimilarityBody, data)
            chosen = catalogue.pick(body.model)
            return Question(chosen, partial(replies.compare, service, chosen, body))

        return await _counted("similarity", request, read)

    @router.post("/v1/style-score", openapi_extra=_documented(StyleBody))
    async def style_score(request: Request) -> Response:
        """How well descriptions fit sounds: cosines, and percentiles among those of the version's reference set."""
        lines = request.headers.get("content-type", "").partition(";")[0].strip() == replies.LINES

        def read(data: bytes) -> Question:
            if lines:
                chosen, pairs = catalogue.pick(""), parse_lines(data)
                return Question(chosen, partial(replies.score_lines, service, chosen, pairs))
            body = parse_body(StyleBody, data)
            chosen, pairs = catalogue.pick(body.model), body.all_pairs()
            return Question(chosen, partial(replies.score, service, chosen, pairs))

        return await _counted("style_score", request, read)

    return router


async def _counted(route: str, request: Request, read: Read) -> Response:
    """Answer with an ETag of (model, input): the same question has the same answer, so its holder need not ask."""
    outcome = "error"
    try:
        data = await request.body()
        question = read(data)
        asked = [route, request.headers.get("content-type", ""), digest(data)]
        tag = f'"{digest_of([question.served.identity.sha256, *asked])[:32]}"'
        lasting = b'"object"' not in data  # what a key names may change
        if lasting and tag in request.headers.get("if-none-match", ""):
            outcome = "unchanged"
            return Response(status_code=304, headers={"ETag": tag})
        response = await unless_gone(request, question.answer(current_asker()))
        if response is None:
            outcome = "gone"
            return Response(status_code=GONE)
        if lasting:
            response.headers["ETag"] = tag
        outcome = "ok"
        return response
    except RequestError as error:
        outcome = error.code
        raise
    finally:
        metrics.REQUESTS.labels(route=route, outcome=outcome).inc()


def _documented(body: type[BaseModel]) -> dict[str, Any]:
    """What the OpenAPI page says of a body that the route reads itself."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": body.model_json_schema()}}}}

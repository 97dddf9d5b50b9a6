"""Errors of KServe's protocols in our words: one JSON shape over HTTP, one status each over gRPC."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from clsp.logs import get_logger
from serving.errors import RequestError, bad_request, error_response
from serving.kserve_sdk import (
    ExceptionToStatusInterceptor,
    InferenceError,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    ServerNotLive,
    ServerNotReady,
    StatusCode,
    UnsupportedProtocol,
)

log = get_logger(__name__)

_HTTP: dict[type[Exception], tuple[int, str, str]] = {
    InvalidInput: (400, "bad_request", "see the KServe protocol and /openapi.json"),
    ModelNotFound: (404, "model_not_found", "GET /v1/models lists what is served"),
    ModelNotReady: (503, "not_ready", "wait for /v2/health/ready"),
    ServerNotReady: (503, "not_ready", "wait for /v2/health/ready"),
    ServerNotLive: (503, "not_ready", "wait for /v2/health/ready"),
    NotImplementedError: (404, "unsupported", "see /openapi.json for what is offered"),
    UnsupportedProtocol: (404, "unsupported", "see /openapi.json for what is offered"),
}
_GRPC = {
    400: StatusCode.INVALID_ARGUMENT,
    403: StatusCode.PERMISSION_DENIED,
    404: StatusCode.NOT_FOUND,
    413: StatusCode.INVALID_ARGUMENT,
    429: StatusCode.RESOURCE_EXHAUSTED,
    503: StatusCode.UNAVAILABLE,
}


def add_error_answers(app: FastAPI) -> None:
    """Answer every error of ``app`` as ``{"error": {...}}``."""
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(InferenceError, _unreadable)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_exception_handler(Exception, _internal)
    for kind in _HTTP:
        app.add_exception_handler(kind, _translated)


async def _refused(_request: Request, error: Exception) -> Response:
    return error_response(error) if isinstance(error, RequestError) else await _internal(_request, error)


async def _translated(_request: Request, error: Exception) -> Response:
    status, code, hint = next(answer for kind, answer in _HTTP.items() if isinstance(error, kind))
    return error_response(RequestError(status, code, str(error) or code, hint=hint))


_UNREADABLE = bad_request("bad_inputs", "a tensor cannot be read", "as bytes of text, or base64; raw bytes go by gRPC")


async def _unreadable(_request: Request, _error: Exception) -> Response:
    """KServe's reader failed; its message repeats the caller's data, ours does not."""
    return error_response(_UNREADABLE)


async def _invalid(_request: Request, error: Exception) -> Response:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    places = "; ".join(sorted({".".join(map(str, problem["loc"])) for problem in problems}))
    return error_response(bad_request("bad_request", f"these fields are wrong: {places}", "see /openapi.json"))


async def _no_route(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return error_response(RequestError(status, "no_route", "no such route", hint="see /openapi.json"))


async def _internal(_request: Request, error: Exception) -> Response:
    log.error("request_failed", error=type(error).__name__)
    return error_response(RequestError(500, "internal", "the request could not be served", hint="see the server's log"))


class StatusInterceptor(ExceptionToStatusInterceptor):  # type: ignore[misc]
    """Our refusals as gRPC statuses; KServe's own errors as KServe maps them."""

    async def handle_exception(self, ex: Exception, request_or_iterator: Any, context: Any, method_name: str) -> None:
        """Abort the call with the status that fits ``ex``."""
        ex = _UNREADABLE if isinstance(ex, InferenceError) else ex
        if isinstance(ex, RequestError):
            await context.abort(_GRPC.get(ex.status, StatusCode.INTERNAL), f"{ex.code}: {ex.message}. {ex.hint}")
        await super().handle_exception(ex, request_or_iterator, context, method_name)

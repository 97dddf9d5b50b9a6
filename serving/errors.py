"""What a caller is told when a request cannot be served: a status, a code to program against, and a hint.

Every route answers ``{"error": {"message", "code", "hint"}}``. Messages never repeat what the caller sent.
"""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from clsp.audio.decode import DecodeError
from clsp.errors import ClspError, DataError, ModelError


class RequestError(ClspError):
    """A request that is refused with ``status``; ``code`` is stable, the message is for people."""

    def __init__(
        self, status: int, code: str, message: str, *, hint: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def bad_request(code: str, message: str, hint: str) -> RequestError:
    """400: the request must be changed."""
    return RequestError(400, code, message, hint=hint)


def too_large(code: str, message: str, hint: str) -> RequestError:
    """413: the request must be made smaller."""
    return RequestError(413, code, message, hint=hint)


def overloaded(message: str, retry_after: int) -> RequestError:
    """429: the same request may succeed later."""
    return RequestError(429, "overloaded", message, hint="try again later", headers={"Retry-After": str(retry_after)})


def expired(retry_after: int) -> RequestError:
    """429: the request waited for the device beyond its deadline."""
    return RequestError(
        429, "expired", "the deadline passed while waiting", hint="try again later",
        headers={"Retry-After": str(retry_after)},
    )  # fmt: skip


def as_request_error(error: ClspError, where: str) -> RequestError:
    """An error of the science as an answer; ``where`` says which input it is about."""
    if isinstance(error, DecodeError):
        make = too_large if error.reason == "too_long" else bad_request
        return make(error.reason, f"{where}: {error.detail}", error.hint)
    if isinstance(error, DataError | ModelError):
        return bad_request("unusable_input", f"{where}: {error.args[0]}", error.hint)
    return RequestError(500, "internal", "the request could not be served", hint="see the server's log")


def error_body(message: str, code: str, hint: str) -> dict[str, Any]:
    """The one shape of every error."""
    return {"error": {"message": message, "code": code, "hint": hint}}


def error_response(error: RequestError) -> Response:
    """``error`` as an HTTP answer."""
    body = orjson.dumps(error_body(error.message, error.code, error.hint))
    return Response(body, error.status, error.headers, media_type="application/json")

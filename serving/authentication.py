"""No call without a key reaches a route, where keys are asked for; health and metrics are for the cluster."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from serving.errors import RequestError, error_response
from serving.keys import ApiKeys, presented_key
from serving.kserve_sdk import StatusCode, aio, unary_unary_rpc_method_handler

_OPEN_PATHS = ("/v2/health/", "/metrics")
_MODELS, _READY = "/v2/models/", "/ready"
_OPEN_CALLS = ("ServerLive", "ServerReady", "ModelReady")


class Authentication:
    """ASGI middleware: 401 without a valid key; the caller's name goes on in ``scope["state"]["caller"]``."""

    def __init__(self, app: ASGIApp, keys: ApiKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_open(scope["path"]):
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            try:
                caller = self._keys.caller(presented_key(headers))
            except RequestError as error:
                await error_response(error)(scope, receive, send)
                return
            scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, receive, send)


def is_open(path: str) -> bool:
    """Whether a path answers without a key: health, metrics and readiness of a model."""
    return path.startswith(_OPEN_PATHS) or (path.startswith(_MODELS) and path.endswith(_READY))


class CallAuthentication(aio.ServerInterceptor):  # type: ignore[misc]
    """The same for gRPC: UNAUTHENTICATED without a valid key in the call's metadata."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """Let the call through, or answer it with a refusal."""
        if handler_call_details.method.rpartition("/")[2] in _OPEN_CALLS:
            return await continuation(handler_call_details)
        try:
            self._keys.caller(presented_key(dict(handler_call_details.invocation_metadata or ())))
        except RequestError as error:
            return _refusal(f"{error.code}: {error.message}. {error.hint}")
        return await continuation(handler_call_details)


def _refusal(message: str) -> Any:
    async def refuse(_request: Any, context: Any) -> None:
        await context.abort(StatusCode.UNAUTHENTICATED, message)

    return unary_unary_rpc_method_handler(refuse)

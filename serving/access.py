"""The outermost layer of both servers: who calls, may they, and a line in the log about it without any content.

Every answer carries the request id that its log lines carry. A caller is named by its key, or else by its address, so
that nobody's crowd of requests holds up the others.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from google.protobuf.message import DecodeError
from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clsp.logs import get_logger
from serving.calls import REQUEST_ID, Call, enter, leave, patience, request_id
from serving.engine import Asker
from serving.errors import RequestError, error_response
from serving.keys import ApiKeys, presented_key
from serving.kserve_sdk import AsyncServerInterceptor, StatusCode
from serving.tracing import parent_of, tracer

log = get_logger("access")
_UNREADABLE = object()
_OPEN_PATHS = ("/v2/health/", "/metrics")
_MODELS, _READY = "/v2/models/", "/ready"
_OPEN_CALLS = ("ServerLive", "ServerReady", "ModelReady")


class Access:
    """ASGI middleware: 401 without a valid key where keys are asked for; request ids; the access log."""

    def __init__(self, app: ASGIApp, keys: ApiKeys, *, logged: bool) -> None:
        self._app = app
        self._keys = keys
        self._logged = logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in Headers(scope=scope).items()}
        told = _Told(send, request_id(headers))
        with structlog.contextvars.bound_contextvars(request_id=told.request_id):
            started = time.monotonic()
            caller = ""
            try:
                caller = self._caller(scope, headers)
                await self._serve(scope, receive, told, Asker(caller, patience(headers), started))
            except RequestError as error:
                await error_response(error)(scope, receive, told)
            finally:
                self._log(scope, told, caller, time.monotonic() - started, headers.get("content-length", ""))

    async def _serve(self, scope: Scope, receive: Receive, told: "_Told", asker: Asker) -> None:
        token = enter(Call(told.request_id, asker))
        facts = {"http.request.method": scope["method"], "request_id": told.request_id}
        try:
            with tracer().start_as_current_span(
                "http", parent_of(dict(Headers(scope=scope))), SpanKind.SERVER, facts
            ) as span:
                await self._app(scope, receive, told)
                span.update_name(f"{scope['method']} {_route(scope)}")
                span.set_attribute("http.response.status_code", told.status)
        finally:
            leave(token)

    def _caller(self, scope: Scope, headers: dict[str, str]) -> str:
        if is_open(scope["path"]):
            return ""
        host = scope["client"][0] if scope.get("client") else ""
        return self._keys.caller(presented_key(headers)) or host

    def _log(self, scope: Scope, told: "_Told", caller: str, seconds: float, length: str) -> None:
        """A line a request; those of probes only when debugging, and no path that no route knows."""
        if not self._logged:
            return
        say = log.debug if is_open(scope["path"]) else log.info
        say(
            "request",
            protocol=f"http/{scope['http_version']}",
            method=scope["method"],
            route=_route(scope),
            status=told.status,
            caller=caller,
            seconds=round(seconds, 4),
            bytes_in=int(length) if length.isdigit() and len(length) < 16 else None,
            bytes_out=told.sent,
        )


def _route(scope: Scope) -> str:
    """The route that answered, without what a caller filled in."""
    return str(getattr(scope.get("route"), "path", ""))


class _Told:
    """Sends on what is answered, with the request id, and remembers status and size."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0
        self.sent = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)[REQUEST_ID] = self.request_id
        self.sent += len(message.get("body", b""))
        await self._send(message)


def is_open(path: str) -> bool:
    """Whether a path answers without a key: health, metrics and readiness of a model."""
    return path.startswith(_OPEN_PATHS) or (path.startswith(_MODELS) and path.endswith(_READY))


class CallAccess(AsyncServerInterceptor):  # type: ignore[misc]
    """The same for gRPC: UNAUTHENTICATED without a valid key in the call's metadata."""

    def __init__(self, keys: ApiKeys, *, logged: bool) -> None:
        self._keys = keys
        self._logged = logged

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any) -> Any:
        """As the base class, but a message that cannot be read comes through to be refused by name."""
        handler = await super().intercept_service(continuation, handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        return handler._replace(request_deserializer=_tolerant(handler.request_deserializer))

    async def intercept(
        self, method: Callable[[Any, Any], Awaitable[Any]], request_or_iterator: Any, context: Any, method_name: str
    ) -> Any:
        """Serve the call, or answer it with a refusal."""
        headers = {str(name): value for name, value in context.invocation_metadata() or () if isinstance(value, str)}
        identity = request_id(headers)
        await context.send_initial_metadata(((REQUEST_ID, identity),))
        called = method_name.rpartition("/")[2]
        with structlog.contextvars.bound_contextvars(request_id=identity):
            started, caller = time.monotonic(), ""
            try:
                caller = await self._caller(called, headers, context)
                if request_or_iterator is _UNREADABLE:
                    await context.abort(StatusCode.INVALID_ARGUMENT, "bad_message: the message cannot be read")
                token = enter(Call(identity, Asker(caller, _seconds(context), started)))
                try:
                    with tracer().start_as_current_span(
                        called, parent_of(headers), SpanKind.SERVER, {"request_id": identity}
                    ):
                        answered = method(request_or_iterator, context)
                        return answered if hasattr(answered, "__aiter__") else await answered
                finally:
                    leave(token)
            finally:
                if self._logged:
                    say = log.debug if called in _OPEN_CALLS else log.info
                    status = getattr(context.code(), "name", None) or "OK"
                    seconds = round(time.monotonic() - started, 4)
                    say("request", protocol="grpc", method=called, status=status, caller=caller, seconds=seconds)

    async def _caller(self, called: str, headers: dict[str, str], context: Any) -> str:
        if called in _OPEN_CALLS:
            return ""
        try:
            return self._keys.caller(presented_key(headers)) or str(context.peer()).rpartition(":")[0]
        except RequestError as error:
            await context.abort(StatusCode.UNAUTHENTICATED, f"{error.code}: {error.message}. {error.hint}")
            raise


def _tolerant(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read_or_mark(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return _UNREADABLE

    return read_or_mark


def _seconds(context: Any) -> float:
    """The time that the caller's deadline leaves; 0 when it set none."""
    left = context.time_remaining()
    return max(0.001, left) if left is not None and left < 1e6 else 0.0

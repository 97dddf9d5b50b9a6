"""No request body larger than the limit ever reaches a route, whatever its headers say."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.errors import error_response, too_large


class BodyLimit:
    """ASGI middleware that reads a body up to ``max_bytes`` and answers 413 beyond, before anything is parsed."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        body = await self._read(scope["headers"], receive)
        if body is None:
            error = too_large("body_too_large", "the body is too large", f"send at most {self._max_bytes} bytes")
            error.headers["Connection"] = "close"
            await error_response(error)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, headers: Sequence[tuple[bytes, bytes]], receive: Receive) -> bytes | None:
        """The whole body; None when it is, or says it is, too large."""
        declared = dict(headers).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._max_bytes:
            return None
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                return None
            more = message["type"] == "http.request" and message.get("more_body", False)
        return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_message

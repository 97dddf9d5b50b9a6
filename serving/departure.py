"""Leaving without refusing anybody: once told to end, the server still takes requests for a while.

Balancers hear that a replica ends when it hears so itself, or a moment later, and callers keep connections open. So it
first goes on, no longer ready, and closes each connection with the answer on it; only then it stops to listen.
"""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Departure:
    """``begun`` once the server was told to end; it is over ``seconds`` later, or at once when told again."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over = asyncio.Event()
        self.begun = False

    def begin(self) -> None:
        """Called in the event loop, by every signal to end."""
        if self.begun or not self._seconds:
            self._over.set()
        else:
            asyncio.get_running_loop().call_later(self._seconds, self._over.set)
        self.begun = True

    def end(self) -> None:
        """Wait no longer."""
        self.begun = True
        self._over.set()

    async def over(self) -> None:
        """Return when no more requests are to be taken."""
        await self._over.wait()


class Farewell:
    """ASGI middleware: from the departure on, every answer is the last of its connection."""

    def __init__(self, app: ASGIApp, departure: Departure) -> None:
        self._app = app
        self._departure = departure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def say(message: Message) -> None:
            if message["type"] == "http.response.start" and self._departure.begun:
                MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        await self._app(scope, receive, say)

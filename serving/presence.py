"""Callers that go away: their request is given up, so that nothing is decoded or computed for nobody."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

T = TypeVar("T")
GONE = 499  # what nginx logs for a caller that closed its connection; nobody reads it


async def unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of ``work``, whose body was read before; None when the caller went away first and it was cancelled."""
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        leaving.cancel()
        doing.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass

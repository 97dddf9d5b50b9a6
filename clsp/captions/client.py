"""The chat client: many requests at once to one or several endpoints, each with deadlines and bounded tries.

What goes wrong with one request is a counted ``Unanswered``; what is wrong with the endpoints themselves (refused
credentials, unknown model, nobody there for long) is an ``EndpointError``. Keys and answers never reach a log.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from clsp.captions.answers import Answer, Fault
from clsp.captions.budget import FailureBudget
from clsp.captions.connection import Connection
from clsp.captions.endpoints import CANCELLED, UNREACHABLE, Endpoints, Place
from clsp.captions.exchange import exchange, open_session
from clsp.captions.retries import RetryBudget, wait_seconds
from clsp.captions.sums import UNREADABLE
from clsp.config.captions import EndpointSettings
from clsp.errors import ClspError, DataError
from clsp.logs import get_logger

log = get_logger(__name__)
Result = TypeVar("Result")
_RETRY_TURN = -1  # what was already begun goes before anything new


@dataclass(frozen=True)
class ChatRequest:
    """One question; its body is made when its turn comes, so that only those in flight take memory.

    ``body`` may block, and raise ``DataError``. Requests of one ``group`` share the beginning of their prompts: they go
    out one after the other.
    """

    id: str
    body: Callable[[], bytes]
    group: str = ""


@dataclass(frozen=True)
class Answered:
    """The text of an answer, stripped and not empty, and the reasoning before it, if it came apart."""

    id: str
    text: str
    attempts: int
    reasoning: str = ""
    tokens: int = 0


@dataclass(frozen=True)
class Unanswered:
    """A question that got no usable answer, why, and after how many tries."""

    id: str
    reason: str
    detail: str
    attempts: int


Reply = Answered | Unanswered
Usable = Callable[[str], bool]
Heard = Callable[[Answered], None]


class StoppedError(Exception):
    """The client was closed before all questions of a call were answered."""


class ChatClient:
    """Asks ``connections``; a context manager, whose end waits ``settings.grace_seconds`` for what is in flight.

    ``ask`` may be called from several threads at once: earlier calls are served first.
    """

    def __init__(self, connections: Sequence[Connection], settings: EndpointSettings, budget: FailureBudget) -> None:
        self._settings = settings
        self._budget = budget
        self._retries = RetryBudget(settings.max_retry_share)
        self._direct = all(connection.is_local for connection in connections)
        self._endpoints = Endpoints(connections, settings)
        self._turns = count()
        self._sessions: list[aiohttp.ClientSession] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chat-client", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._open()).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, requests: Sequence[ChatRequest], usable: Usable = bool, heard: Heard | None = None) -> list[Reply]:
        """Replies in the order of ``requests``. Raises ``EndpointError`` when the endpoints have to be given up.

        An answer that is not ``usable`` is given back all the same, but does not speak for the endpoint. ``heard`` is
        called (in the client's thread) as soon as an answer is there, in no order.
        """
        if not requests:
            return []
        try:
            return self._run(self._ask_all(requests, usable, heard, next(self._turns))).result()
        except ExceptionGroup as group:
            raise _cause(group) from None

    @property
    def limits(self) -> dict[str, int]:
        """How many requests each endpoint is sent at once just now, by url."""
        return self._endpoints.limits

    def _run(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _open(self) -> None:
        self._sessions.append(open_session(self._settings, self._direct))

    async def _close(self) -> None:
        self._endpoints.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=self._settings.grace_seconds)
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for session in self._sessions:
            await session.close()

    async def _ask_all(
        self, requests: Sequence[ChatRequest], usable: Usable, heard: Heard | None, turn: int
    ) -> list[Reply]:
        tasks: list[asyncio.Task[Reply | None]] = []
        async with asyncio.TaskGroup() as group:
            for request in requests:  # a task each only once it has a place: thousands may wait
                if (place := await self._endpoints.enter(request.group, turn)) is None:
                    break
                tasks.append(group.create_task(self._ask_one(request, place, usable, heard)))
        replies = [reply for task in tasks if (reply := task.result())]
        if len(replies) < len(requests):
            raise StoppedError
        return replies

    async def _ask_one(self, request: ChatRequest, place: Place, usable: Usable, heard: Heard | None) -> Reply | None:
        try:
            reply = await self._ask_patiently(request, place)
        except DataError as error:  # the question itself cannot be made
            return Unanswered(request.id, UNREADABLE, str(error.args[0]), 1)
        if reply is None:
            return None
        if isinstance(reply, Unanswered):
            log.warning("row_failed", row=reply.id, reason=reply.reason, attempts=reply.attempts)
            self._budget.failed(reply.reason)
            return reply
        if usable(reply.text):
            self._budget.answered()
        if heard:
            heard(reply)
        return reply

    async def _ask_patiently(self, request: ChatRequest, first: Place) -> Reply | None:
        settings, started, attempt = self._settings, self._loop.time(), 0
        self._retries.asked()
        try:
            body = await self._loop.run_in_executor(None, request.body)
        except BaseException:
            self._endpoints.leave(first, CANCELLED)
            raise
        place: Place | None = first
        while place:
            result = await self._ask_once(place, body, started + settings.deadline_seconds - self._loop.time())
            if isinstance(result, Answer):
                return Answered(request.id, result.text, attempt + 1, result.reasoning, result.tokens)
            attempt += result.reason != UNREACHABLE  # a try that nobody heard
            wait = wait_seconds(settings, request.id, max(1, attempt), result)
            late = self._loop.time() + wait - started >= settings.deadline_seconds
            if not result.passing or attempt >= settings.attempts or late or not self._may_retry(result):
                return Unanswered(request.id, result.reason, result.detail, attempt)
            await asyncio.sleep(wait)
            place = await self._endpoints.enter(request.group, _RETRY_TURN)
        return None

    def _may_retry(self, fault: Fault) -> bool:
        return fault.reason == UNREACHABLE or self._retries.take()

    async def _ask_once(self, place: Place, body: bytes, seconds_left: float) -> Answer | Fault:
        seconds = max(0.001, min(self._settings.timeout_seconds, seconds_left))
        fault: Fault | None = CANCELLED
        try:
            result = await exchange(self._sessions[0], place.endpoint.connection, body, self._settings, seconds)
            fault = result if isinstance(result, Fault) else None
            return result
        finally:
            self._endpoints.leave(place, fault)


def _cause(group: ExceptionGroup[Exception]) -> Exception:
    return next((error for error in group.exceptions if isinstance(error, ClspError)), group.exceptions[0])

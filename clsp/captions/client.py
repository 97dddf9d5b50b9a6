"""The chat client: many requests at once to one endpoint, each with a deadline and a bounded number of tries.

What goes wrong with one request is a counted ``Unanswered``; what is wrong with the endpoint itself (refused
credentials, unknown model, nobody there) is an ``EndpointError`` at once. Keys and answers never reach a log.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx

from clsp.captions.answers import Fault, read_answer
from clsp.captions.budget import FailureBudget
from clsp.captions.connection import Connection
from clsp.config.captions import EndpointSettings
from clsp.errors import ClspError, EndpointError
from clsp.hashing import unit_interval
from clsp.logs import get_logger

log = get_logger(__name__)
UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class ChatRequest:
    """One question; its body is made when its turn comes, so that only those in flight take memory."""

    id: str
    body: Callable[[], bytes]


@dataclass(frozen=True)
class Answered:
    """The text of an answer, stripped and not empty."""

    id: str
    text: str
    attempts: int


@dataclass(frozen=True)
class Unanswered:
    """A question that got no usable answer, why, and after how many tries."""

    id: str
    reason: str
    detail: str
    attempts: int


Reply = Answered | Unanswered


class ChatClient:
    """Asks one endpoint, ``settings.concurrency`` questions at a time."""

    def __init__(self, connection: Connection, settings: EndpointSettings, budget: FailureBudget) -> None:
        self._connection = connection
        self._settings = settings
        self._budget = budget
        self._tls = connection.tls_context()  # made once: loading the authorities takes a tenth of a second

    def ask(self, requests: Sequence[ChatRequest], usable: Callable[[str], bool] = bool) -> list[Reply]:
        """Replies in the order of ``requests``. Raises ``EndpointError`` when the endpoint has to be given up.

        An answer that is not ``usable`` is given back all the same, but does not speak for the endpoint.
        """
        try:
            return asyncio.run(self._ask_all(requests, usable)) if requests else []
        except ExceptionGroup as group:
            raise _cause(group) from None

    async def _ask_all(self, requests: Sequence[ChatRequest], usable: Callable[[str], bool]) -> list[Reply]:
        gate = asyncio.Semaphore(self._settings.concurrency)
        async with self._transport() as http, asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._ask_one(http, gate, request, usable)) for request in requests]
        return [task.result() for task in tasks]

    def _transport(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            headers=self._connection.headers,
            verify=self._tls,
            timeout=self._settings.timeout_seconds,
            trust_env=not self._connection.is_local,
            limits=httpx.Limits(max_connections=self._settings.concurrency),
        )

    async def _ask_one(
        self, http: httpx.AsyncClient, gate: asyncio.Semaphore, request: ChatRequest, usable: Callable[[str], bool]
    ) -> Reply:
        async with gate:
            reply = await self._ask_patiently(http, request)
        if isinstance(reply, Unanswered):
            log.warning("row_failed", row=reply.id, reason=reply.reason, attempts=reply.attempts)
            self._budget.failed(reply.reason)
        elif usable(reply.text):
            self._budget.answered()
        return reply

    async def _ask_patiently(self, http: httpx.AsyncClient, request: ChatRequest) -> Reply:
        body = request.body()
        attempt = 0
        while True:
            attempt += 1
            result = await self._ask_once(http, body)
            if isinstance(result, str):
                return Answered(request.id, result, attempt)
            if not result.passing or attempt >= self._settings.attempts:
                self._refuse_outage(result)
                return Unanswered(request.id, result.reason, result.detail, attempt)
            await asyncio.sleep(wait_seconds(self._settings, request.id, attempt, result))

    async def _ask_once(self, http: httpx.AsyncClient, body: bytes) -> str | Fault:
        try:
            async with (
                asyncio.timeout(self._settings.timeout_seconds),
                http.stream("POST", self._connection.chat_url, content=body) as response,
            ):
                self._refuse_status(response.status_code)
                data = await self._read(response)
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout, httpx.PoolTimeout):
            return Fault("timeout", f"over {self._settings.timeout_seconds:g} s")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Fault(UNREACHABLE, type(error).__name__)
        except httpx.HTTPError as error:
            return Fault("connection_lost", type(error).__name__)
        if data is None:
            return Fault("oversized", f"over {self._settings.max_response_bytes} bytes")
        return read_answer(response.status_code, response.headers, data)

    async def _read(self, response: httpx.Response) -> bytes | None:
        data = bytearray()
        async for chunk in response.aiter_raw():
            data += chunk
            if len(data) > self._settings.max_response_bytes:
                return None
        return bytes(data)

    def _refuse_status(self, status: int) -> None:
        if status in {401, 403}:
            variable = self._connection.key_variable or "the key's variable"
            raise EndpointError(
                f"{self._connection.url} refused the credentials (HTTP {status})", hint=f"set {variable}"
            )
        if status == 404:
            raise EndpointError(
                f"{self._connection.url} has no chat model {self._settings.model!r} (HTTP 404)",
                hint="check the url (it ends in /v1) and the model name against the endpoint's /v1/models",
            )

    def _refuse_outage(self, fault: Fault) -> None:
        if fault.reason == UNREACHABLE:  # no row can be the cause of that
            raise EndpointError(
                f"{self._connection.url} cannot be reached ({fault.detail}, {self._settings.attempts} tries)",
                hint="start the endpoint, check its url, and run again: finished work is kept",
            )


def wait_seconds(settings: EndpointSettings, request: str, attempt: int, fault: Fault) -> float:
    """Seconds before the next try: doubling from ``backoff_seconds`` with jitter, or longer if the endpoint asks."""
    backoff = settings.backoff_seconds * 2 ** (attempt - 1) * (0.5 + unit_interval("jitter", request, attempt))
    return float(min(max(backoff, fault.wait_seconds), settings.max_wait_seconds))


def _cause(group: ExceptionGroup[Exception]) -> Exception:
    return next((error for error in group.exceptions if isinstance(error, ClspError)), group.exceptions[0])

"""One exchange with a chat endpoint over HTTP: the answer, or the name of what went wrong.

What no other try can mend (refused credentials, unknown model) is an ``EndpointError``. An answer is read up to a
bound; redirects are not followed, because the credentials would be.
"""

import asyncio

import aiohttp

from clsp.captions.answers import Answer, Fault, read_answer
from clsp.captions.connection import Connection
from clsp.captions.endpoints import UNREACHABLE
from clsp.config.captions import EndpointSettings
from clsp.errors import EndpointError


def open_session(settings: EndpointSettings, direct: bool) -> aiohttp.ClientSession:
    """What connections are kept in; ``direct`` ignores the proxies that the environment names."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=5.0),
        timeout=aiohttp.ClientTimeout(total=settings.timeout_seconds, sock_connect=settings.connect_seconds),
        trust_env=not direct,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def exchange(
    session: aiohttp.ClientSession, connection: Connection, body: bytes, settings: EndpointSettings, seconds: float
) -> Answer | Fault:
    """Send ``body`` and read the answer, within ``seconds``."""
    try:
        async with (
            asyncio.timeout(seconds),
            session.post(
                connection.chat_url, data=body, headers=connection.headers, ssl=connection.tls, allow_redirects=False
            ) as response,
        ):
            _refuse_status(response.status, connection, settings)
            data = await _read(response, settings.max_response_bytes)
    except aiohttp.ClientConnectorError as error:
        return Fault(UNREACHABLE, type(error).__name__)
    except aiohttp.ConnectionTimeoutError as error:
        return Fault(UNREACHABLE, type(error).__name__)
    except TimeoutError:
        return Fault("timeout", f"over {seconds:g} s")
    except (aiohttp.ClientError, OSError) as error:
        return Fault("connection_lost", type(error).__name__)
    if data is None:
        return Fault("oversized", f"over {settings.max_response_bytes} bytes")
    return read_answer(response.status, response.headers, data)


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes | None:
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > most:
            return None
    return bytes(data)


def _refuse_status(status: int, connection: Connection, settings: EndpointSettings) -> None:
    if status in {401, 403}:
        variable = connection.key_variable or "the key's variable"
        raise EndpointError(f"{connection.url} refused the credentials (HTTP {status})", hint=f"set {variable}")
    if status == 404:
        raise EndpointError(
            f"{connection.url} has no chat model {settings.model!r} (HTTP 404)",
            hint="check the url (it ends in /v1) and the model name against the endpoint's /v1/models",
        )

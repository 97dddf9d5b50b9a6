"""Who calls, under which id and until when, whichever protocol the call came by.

The outermost layer of HTTP and of gRPC says so once; what runs below it, in the same task, may ask.
"""

import re
import uuid
from collections.abc import Mapping
from contextvars import ContextVar, Token
from dataclasses import dataclass

from serving.engine import ANYONE, Asker

REQUEST_ID = "x-request-id"
TIMEOUT = "x-request-timeout"
_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


@dataclass(frozen=True)
class Call:
    """One call: its id, and on whose behalf and for how long the engine works."""

    request_id: str
    asker: Asker


_CURRENT: ContextVar[Call | None] = ContextVar("call", default=None)


def enter(call: Call) -> Token[Call | None]:
    """Make ``call`` the one that this task serves; ``leave`` it with what is returned."""
    return _CURRENT.set(call)


def leave(token: Token[Call | None]) -> None:
    """The call is over."""
    _CURRENT.reset(token)


def current_asker() -> Asker:
    """On whose behalf this task works."""
    call = _CURRENT.get()
    return call.asker if call else ANYONE


def request_id(headers: Mapping[str, str]) -> str:
    """The id that the caller gave (lower-case names), or a new one where it gave none that can be logged."""
    given = headers.get(REQUEST_ID, "")
    return given if _ID.fullmatch(given) else uuid.uuid4().hex


def patience(headers: Mapping[str, str]) -> float:
    """Seconds that the caller waits at most, from ``X-Request-Timeout``; 0 when it does not say."""
    wanted = headers.get(TIMEOUT, "")
    return float(wanted) if len(wanted) < 16 and wanted.isascii() and wanted.replace(".", "", 1).isdigit() else 0.0

"""Reading what an endpoint sent back: the text of the answer, or the name of what is wrong with it.

The names are the reasons that failed rows are counted under.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import orjson


@dataclass(frozen=True)
class Fault:
    """Why one try gave nothing: ``reason`` is counted, ``wait_seconds`` is what the endpoint asked for."""

    reason: str
    detail: str = ""
    passing: bool = True  # whether another try may go better
    wait_seconds: float = 0.0


def read_answer(status: int, headers: httpx.Headers, data: bytes) -> str | Fault:
    """The text of a chat answer, stripped, or the fault of it. ``data`` is the whole body."""
    if status == 200:
        return _read_text(data)
    if status == 429:
        return Fault("rate_limited", "HTTP 429", wait_seconds=_retry_after(headers))
    if status >= 500 or status == 408:
        return Fault("server_error", f"HTTP {status}", wait_seconds=_retry_after(headers))
    return Fault("refused", f"HTTP {status}", passing=False)


def _read_text(data: bytes) -> str | Fault:
    try:
        text = _content(orjson.loads(data))
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError):
        return Fault("garbage", "not a chat answer")
    return text.strip() or Fault("empty", "an answer without text")


def _content(answer: Any) -> str:
    content = answer["choices"][0]["message"]["content"]
    if content is not None and not isinstance(content, str):
        raise TypeError(type(content))
    return content or ""


def _retry_after(headers: httpx.Headers) -> float:
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0

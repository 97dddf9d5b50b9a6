"""Reading what an endpoint sent back: the text of the answer, or the name of what is wrong with it.

The names are the reasons that failed rows are counted under.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

_THOUGHT = re.compile(r"\A\s*(?:<think>)?(?P<thought>.*)</think>", re.S)


@dataclass(frozen=True)
class Answer:
    """What an endpoint said, stripped and not empty; what it thought before it said so is kept apart."""

    text: str
    reasoning: str = ""
    tokens: int = 0  # that the endpoint says it wrote


@dataclass(frozen=True)
class Fault:
    """Why one try gave nothing: ``reason`` is counted, ``wait_seconds`` is what the endpoint asked for."""

    reason: str
    detail: str = ""
    passing: bool = True  # whether another try may go better
    wait_seconds: float = 0.0


def read_answer(status: int, headers: Mapping[str, str], data: bytes) -> Answer | Fault:
    """A chat answer, or the fault of it. ``data`` is the whole body."""
    if status == 200:
        return _read_message(data)
    if status == 429:
        return Fault("rate_limited", "HTTP 429", wait_seconds=_retry_after(headers))
    if status == 503:
        return Fault("overloaded", "HTTP 503", wait_seconds=_retry_after(headers))
    if status >= 500 or status == 408:
        return Fault("server_error", f"HTTP {status}", wait_seconds=_retry_after(headers))
    return Fault("refused", f"HTTP {status}", passing=False)


def _read_message(data: bytes) -> Answer | Fault:
    try:
        whole = orjson.loads(data)
        choice = whole["choices"][0]
        message, ended = choice["message"], choice.get("finish_reason")
        content, thought = _text(message["content"]), _text(_apart(message))
        tokens = int((whole.get("usage") or {}).get("completion_tokens") or 0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return Fault("garbage", "not a chat answer")
    answer = replace(split_reasoning(content, thought), tokens=tokens)
    if not answer.text and ended == "length":  # the same seed would think as long again
        return Fault("truncated", "max_tokens ended before the answer began", passing=False)
    return answer if answer.text else Fault("empty", "an answer without text")


def split_reasoning(content: str, thought: str = "") -> Answer:
    """The answer in ``content`` without the thinking before it; servers without a parser leave that inside."""
    inside = _THOUGHT.match(content)
    if not inside:
        return Answer(content.strip(), thought.strip())
    return Answer(content[inside.end() :].strip(), (thought or inside["thought"]).strip())


def _apart(message: Any) -> Any:
    # vLLM's name for it changed; other servers keep the older one.
    return message.get("reasoning_content") or message.get("reasoning")


def _text(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise TypeError(type(value))
    return value or ""


def _retry_after(headers: Mapping[str, str]) -> float:
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0

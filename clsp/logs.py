"""Structured logs on standard error: one JSON object a line for machines, short lines for a terminal.

Logs carry ids, counts and reasons; never credentials, captions, transcripts or audio.
"""

import logging
import os
import sys
from typing import Any

import structlog


def configure_logs() -> None:
    """Set up logging once per process; ``CLSP_LOG_LEVEL`` (default info) and ``CLSP_LOG_FORMAT`` (json or text)."""
    level = logging.getLevelNamesMapping().get(os.environ.get("CLSP_LOG_LEVEL", "INFO").upper(), logging.INFO)
    as_text = os.environ.get("CLSP_LOG_FORMAT", "text" if sys.stderr.isatty() else "json") == "text"
    renderer: Any = structlog.dev.ConsoleRenderer() if as_text else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_print_to_stderr,
    )


def _print_to_stderr(*_: object) -> structlog.PrintLogger:
    """Standard error as it is now: whoever swapped it when the logs were set up may have closed it since."""
    return structlog.PrintLogger(sys.stderr)


def get_logger(name: str) -> Any:
    """A structured logger: ``log.info("event_name", rows=3)``."""
    return structlog.get_logger(module=name)

"""What a person sees while a flow runs: a line a step, with what came in, what went out, and what it cost."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TextIO

from clsp.progress import format_duration

_WIDTH = 13
_WARNINGS = 3  # of a kind; a thousand failed rows are summed up when the step is done
_OF_ANY_EVENT = {"event", "level", "timestamp", "module", "step", "run_id"}


@dataclass
class Console:
    """Shows the events of a flow on a terminal (live) or in a log (a line an event worth reading)."""

    out: TextIO = field(default_factory=lambda: sys.stderr)
    live: bool = field(default_factory=sys.stderr.isatty)
    _warned: Counter[str] = field(default_factory=Counter)

    def show(self, event: dict[str, Any]) -> None:
        """Render one event; events it does not know are left to the log file."""
        match event.get("event"):
            case "step_started":
                self._transient(f"  … {event['step']:<{_WIDTH}}")
            case "progress":
                self._transient(f"  … {event['step']:<{_WIDTH}} {_progress_text(event)}")
            case "step_done":
                self.line(f"  ✓ {event['name']:<{_WIDTH}} {_done_text(event)}")
            case "step_state":
                self.line(f"  · {event['step']:<{_WIDTH}} {event['state']}")
            case "step_failed":
                self.line(f"  ✗ {event['step']:<{_WIDTH}} {event['message']}")
            case str(kind) if event.get("level") == "warning":
                self._warn(kind, event)

    def line(self, text: str) -> None:
        """Print a lasting line."""
        self.out.write(f"\r\x1b[K{text}\n" if self.live else f"{text}\n")
        self.out.flush()

    def _warn(self, kind: str, event: dict[str, Any]) -> None:
        self._warned[kind] += 1
        if self._warned[kind] > _WARNINGS:
            return
        facts = ", ".join(f"{key} {value}" for key, value in event.items() if key not in _OF_ANY_EVENT)
        more = " (further ones are in the log only)" if self._warned[kind] == _WARNINGS else ""
        self.line(f"  ! {kind.replace('_', ' ')}: {facts}{more}")

    def _transient(self, text: str) -> None:
        self.out.write(f"\r\x1b[K{text}" if self.live else f"{text}\n")
        self.out.flush()


def _progress_text(event: dict[str, Any]) -> str:
    known = {"event", "step", "done", "total", "unit", "rate", "seconds_left", "level", "timestamp"}
    left = event.get("seconds_left")
    eta = f", {format_duration(left)} left" if left is not None and event["done"] < event["total"] else ""
    facts = "".join(f"  {key} {value}" for key, value in event.items() if key not in known)
    return f"{event['done']}/{event['total']} {event['unit']}, {event['rate']:.3g}/s{eta}{facts}"


def _done_text(event: dict[str, Any]) -> str:
    rejected, failed = event["rejected"], event["failed"]
    parts = [f"{event['rows_in']} {event['unit']} in", f"{event['accepted']} accepted"]
    parts += [f"{sum(rejected.values())} rejected ({_reasons(rejected)})"] if sum(rejected.values()) else []
    parts += [f"{sum(failed.values())} failed ({_reasons(failed)})"] if sum(failed.values()) else []
    cost = "already done" if event["reused"] else f"{event['seconds']:.1f}s, {event['max_rss_bytes'] / 2**20:.0f} MiB"
    return f"{' → '.join(parts[:2])}{''.join(' · ' + part for part in parts[2:])}   [{cost}]"


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()) if count)

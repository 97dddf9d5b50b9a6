"""Faults on purpose: the describer can be slow, refuse, babble or die, so that its clients can be tested.

A fault hits a request by its content and how often it came, never by time or order, so that a test repeats.
"""

import os
import re
import signal
import threading
from collections import Counter
from dataclasses import dataclass

from clsp.errors import ConfigError
from clsp.hashing import digest, unit_interval

NAMES = ("delay", "500", "503", "429", "garbage", "empty", "huge", "wrong_json", "hang", "drop", "die", "say")
HUGE_BYTES = 10 * 2**20
_FAULT = re.compile(r"(?P<name>[a-z0-9_]+)(=(?P<value>[^@]*))?(@(?P<rate>\d*\.?\d+))?", re.S)


@dataclass(frozen=True)
class Fault:
    """``name[=value][@rate]``: the share ``rate`` of tries is hit.

    ``delay=SECONDS`` · ``500`` ``503`` ``429=RETRY_AFTER`` · ``garbage`` (not JSON) · ``empty`` (no text) ·
    ``huge`` (10 MB) · ``wrong_json`` (a judgement of another shape) · ``say=TEXT`` (this text) ·
    ``hang`` (never answers) · ``drop`` (closes the connection) · ``die=N`` (SIGKILLs itself at request N).
    """

    name: str
    value: str
    rate: float


def parse_fault(text: str) -> Fault:
    """Read one fault; ``ConfigError`` names the known ones."""
    match = _FAULT.fullmatch(text)
    if not match or match["name"] not in NAMES:
        raise ConfigError(f"unknown fault {text!r}", hint=f"name[=value][@rate] of {', '.join(NAMES)}")
    return Fault(match["name"], match["value"] or "", float(match["rate"] or 1.0))


class Troublemaker:
    """Decides which faults hit a request, and counts ``requests``. Thread-safe."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self._faults = tuple(fault for fault in faults if fault.name != "die")
        self._deaths = [int(fault.value) for fault in faults if fault.name == "die"]
        self._tries: Counter[str] = Counter()
        self.requests = 0
        self._lock = threading.Lock()

    def hit(self, body: bytes) -> tuple[Fault, ...]:
        """The faults of this try; does not return when it is time to die."""
        name = digest(body)
        with self._lock:
            self.requests += 1
            self._tries[name] += 1
            tries, requests = self._tries[name], self.requests
        if any(requests >= last for last in self._deaths):
            os.kill(os.getpid(), signal.SIGKILL)
        return tuple(fault for fault in self._faults if unit_interval(fault.name, name, tries) < fault.rate)

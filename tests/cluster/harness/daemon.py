"""A program that a node keeps running."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Daemon:
    """What to start, where it writes, and what is added to its environment."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)

    def spec(self, logs: Path) -> dict[str, Any]:
        """As PID 1 of the node reads it; the log is named after the daemon."""
        return {**asdict(self), "log": str(logs / f"{self.name}.log")}


def flags(**values: object) -> tuple[str, ...]:
    """Command-line flags of Go's kind: `bind_address="::"` → `--bind-address=::`."""
    return tuple(f"--{name.replace('_', '-')}={value}" for name, value in values.items())

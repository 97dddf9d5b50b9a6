"""What a board is made of, in the words of the person who reads it."""

from dataclasses import dataclass
from typing import Literal

Look = Literal["timeseries", "stat", "bargauge", "table"]


@dataclass(frozen=True)
class Query:
    """A PromQL expression and what its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True)
class Panel:
    """One picture; ``unit`` is Grafana's name of it, ``width`` is of 24 columns."""

    title: str
    description: str
    queries: tuple[Query, ...]
    unit: str = "short"
    look: Look = "timeseries"
    width: int = 8
    stacked: bool = False
    maximum: float | None = None


@dataclass(frozen=True)
class Row:
    """A question, and the panels that answer it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Board:
    """One dashboard; ``name`` names its file and, behind ``clsp-``, its uid in Grafana."""

    name: str
    title: str
    description: str
    rows: tuple[Row, ...]

    @property
    def uid(self) -> str:
        """What Grafana knows the board by, the same in every installation."""
        return f"clsp-{self.name}"

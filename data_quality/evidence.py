"""What is judged: the rows that the steps up to validate gave, as tables that are read in batches."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from clsp.records import Caption, Example, Failure, Segment, Verdict
from clsp.storage.rows import in_chunks

Row = TypeVar("Row")
Row_co = TypeVar("Row_co", covariant=True)
BATCH_ROWS = 25_000


class Rows(Protocol[Row_co]):
    """Rows whose number is known before they are read."""

    def __iter__(self) -> Iterator[Row_co]: ...

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Evidence:
    """What the steps up to validate gave; every table can be read several times, in the same order.

    ``accepted`` are captions that passed, ``failures`` those of verify. ``baseline`` are the examples of the data set
    that these are held against, and ``baseline_name`` says which it is; no rows and no name where there is none.
    """

    segments: Iterable[Segment]
    captions: Iterable[Caption]
    verdicts: Iterable[Verdict]
    accepted: Iterable[Caption]
    failures: Iterable[Failure]
    examples: Rows[Example]
    baseline: Rows[Example] = ()
    baseline_name: str = ""


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """``rows`` in batches of bounded size, in order."""
    return in_chunks(rows, BATCH_ROWS)

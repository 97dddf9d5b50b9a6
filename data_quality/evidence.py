"""What is judged: the rows that the steps up to validate gave, as tables that are read in batches."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from clsp.records import Caption, Example, Failure, Segment, Verdict
from clsp.storage.rows import in_chunks

Row = TypeVar("Row")
BATCH_ROWS = 25_000


@dataclass(frozen=True)
class Evidence:
    """What the steps up to validate gave; every table can be read several times, in the same order.

    ``accepted`` are captions that passed, ``failures`` those of verify.
    """

    segments: Iterable[Segment]
    captions: Iterable[Caption]
    verdicts: Iterable[Verdict]
    accepted: Iterable[Caption]
    failures: Iterable[Failure]
    examples: Iterable[Example]
    baseline: Iterable[Example] = ()  # of the data set that the examples are held against, if any


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """``rows`` in batches of bounded size, in order."""
    return in_chunks(rows, BATCH_ROWS)

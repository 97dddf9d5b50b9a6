"""Which examples a training set holds: one pure question a row, answered by the first demand it fails."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from clsp.config import FeatureSettings
from clsp.records import Example, Failure
from components.features.rows import SegmentFeatures

STEP, UNREADABLE = "features", "unreadable_audio"
TOO_SHORT, TOO_LONG, LICENCE, FEW_CAPTIONS = "too_short", "too_long", "licence", "too_few_captions"


@dataclass(frozen=True)
class Selection:
    """The examples that go on, and a row for each that does not."""

    examples: tuple[Example, ...]
    failures: tuple[Failure, ...]

    @property
    def rejected(self) -> Counter[str]:
        """Rows left out on purpose, by reason."""
        return Counter(row.reason for row in self.failures if row.outcome == "rejected")

    @property
    def failed(self) -> Counter[str]:
        """Rows that could not be measured, by reason."""
        return Counter(row.reason for row in self.failures if row.outcome == "failed")


def select(examples: Sequence[Example], rows: Sequence[SegmentFeatures], settings: FeatureSettings) -> Selection:
    """Examples whose features meet ``settings``, in order, with their measures; an example without features failed."""
    features = {row.segment_id: row for row in rows}
    kept, failures = [], []
    for example in examples:
        row = features.get(example.segment_id)
        if row is None:
            failures.append(Failure(example.segment_id, STEP, "failed", UNREADABLE, "not mono FLAC", 1))
        elif reason := reject_reason(row, settings):
            failures.append(Failure(example.segment_id, STEP, "rejected", reason, "", 1))
        else:
            kept.append(replace(example, measures=row.measures))
    return Selection(tuple(kept), tuple(failures))


def reject_reason(row: SegmentFeatures, settings: FeatureSettings) -> str:
    """Why ``row`` is left out, '' when it is selected; only train needs several fine captions."""
    needed = settings.min_fine_captions if row.split == "train" else 1
    demands = {
        TOO_SHORT: row.duration_s >= settings.min_seconds,
        TOO_LONG: row.duration_s <= settings.max_seconds,
        LICENCE: not settings.licences or row.licence in settings.licences,
        FEW_CAPTIONS: row.fine_captions >= needed,
    }
    return next((reason for reason, met in demands.items() if not met), "")

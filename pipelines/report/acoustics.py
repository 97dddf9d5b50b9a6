"""What the voices sound like, by split: held-out data should look like the data that was trained on."""

from collections import defaultdict

from clsp.hashing import unit_interval
from clsp.records import Example
from pipelines.report.outputs import Outputs
from pipelines.report.views import DistributionView

_MEASURES = (
    ("duration_s", "Duration", "s"),
    ("pitch_hz", "Median pitch", "Hz"),
    ("rate_hz", "Syllable rate", "syllables/s"),
    ("loudness_dbfs", "Loudness", "dBFS"),
)
_SPLITS = ("train", "dev", "test")
_SAMPLE = 20_000


def read_distributions(outputs: Outputs) -> tuple[DistributionView, ...]:
    """One view a measure that the examples carry."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    manifest = outputs.last("examples")
    share = _SAMPLE / max(1, manifest.counts.accepted) if manifest else 1.0
    for row in outputs.rows(manifest, "examples", Example):
        if share >= 1 or unit_interval("report", row.segment_id) < share:
            for name, value in {"duration_s": row.duration_s, **row.measures}.items():
                values[name, row.split].append(value)
    return tuple(
        DistributionView(title, unit, by_split)
        for name, title, unit in _MEASURES
        if (by_split := tuple((split, tuple(values[name, split])) for split in _SPLITS if values.get((name, split))))
    )

"""What the Feast repository declares: the segment, its two feature views, and the service a training set reads.

Features of a segment do not change, so every row carries the same event time; it is a constant because the same
examples must give the same training set.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64, String

EVENT_TIME = datetime(2000, 1, 1, tzinfo=UTC)
TIME_COLUMN, KEY, SERVICE = "event_timestamp", "segment_id", "training_set"

_FACTS = {
    "split": String,
    "duration_s": Float64,
    "licence": String,
    "language": String,
    "fine_captions": Int64,
    "overall_captions": Int64,
}
MEASURE_PREFIX = "measure_"  # a measure and a fact may have the same name

REPOSITORY_YAML = """\
project: clsp
provider: local
registry: registry.db
online_store:
  type: sqlite
  path: online.db
offline_store:
  type: file
entity_key_serialization_version: 3
"""


def definitions(source: Path, measures: Sequence[str]) -> list[object]:
    """Everything to apply: entity, views and the service that reads both; ``source`` is a Parquet file."""
    segment = Entity(name="segment", join_keys=[KEY], value_type=ValueType.STRING)
    rows = FileSource(name="segment_features", path=str(source), timestamp_field=TIME_COLUMN)
    facts = _view("segment_facts", segment, rows, [Field(name=name, dtype=kind) for name, kind in _FACTS.items()])
    acoustics = _view(
        "segment_acoustics", segment, rows, [Field(name=MEASURE_PREFIX + name, dtype=Float64) for name in measures]
    )
    return [segment, facts, acoustics, FeatureService(name=SERVICE, features=[facts, acoustics])]


def _view(name: str, segment: Entity, source: FileSource, schema: list[Field]) -> FeatureView:
    forever = timedelta(0)
    return FeatureView(name=name, entities=[segment], ttl=forever, schema=schema, source=source)

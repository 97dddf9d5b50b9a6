"""A Feast repository of examples: built in a folder, joined for training, asked online.

It holds ids, facts and small numbers only; sound and captions stay in shards. Everything in it can be rebuilt from
the ``features`` shards of the manifest, so the SQLite files (which are never the same twice) are no product of a run.
"""

import io
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
from feast import FeatureStore

from clsp.storage import ObjectStore
from clsp.storage.manifest import load_manifest, read_rows
from components.features.definitions import (
    EVENT_TIME,
    KEY,
    MEASURE_PREFIX,
    REPOSITORY_YAML,
    SERVICE,
    TIME_COLUMN,
    definitions,
)
from components.features.rows import SegmentFeatures

_READY = "ready"


class Repository:
    """A Feast repository in ``folder`` that was applied; only one that was materialised answers online."""

    def __init__(self, folder: Path) -> None:
        self._feast = FeatureStore(repo_path=str(folder))

    def materialise(self) -> None:
        """Copy every feature into the SQLite online store."""
        with _hushed():
            self._feast.materialize(EVENT_TIME - timedelta(days=1), EVENT_TIME + timedelta(days=1))

    def historical(self, segment_ids: Sequence[str]) -> list[SegmentFeatures]:
        """Features of ``segment_ids`` in their order, by a point-in-time join on segment and event time."""
        asked = pd.DataFrame({KEY: list(segment_ids), TIME_COLUMN: EVENT_TIME})
        service = self._feast.get_feature_service(SERVICE)
        joined = self._feast.get_historical_features(entity_df=asked, features=service).to_df()
        rows = {row[KEY]: _from_columns(row) for row in joined.to_dict("records")}
        return [rows[name] for name in segment_ids]

    def online(self, segment_ids: Iterable[str]) -> dict[str, SegmentFeatures]:
        """Features of those ``segment_ids`` that the SQLite online store knows."""
        asked = [{KEY: name} for name in segment_ids]
        service = self._feast.get_feature_service(SERVICE)
        columns = self._feast.get_online_features(features=service, entity_rows=asked).to_dict()
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        return {row[KEY]: _from_columns(row) for row in rows if row["split"] is not None}


def build_repository(folder: Path, rows: Sequence[SegmentFeatures]) -> Repository:
    """Lay out a repository in an empty ``folder``: Parquet offline, SQLite online and registry, all of it local."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "features.parquet"
    pd.DataFrame([_to_columns(row) for row in rows]).to_parquet(source, index=False)
    (folder / "feature_store.yaml").write_text(REPOSITORY_YAML)
    with _hushed():
        FeatureStore(repo_path=str(folder)).apply(definitions(source.absolute(), sorted(rows[0].measures)))
    return Repository(folder)


def open_repository(store: ObjectStore, manifest: str, folder: Path) -> Repository:
    """The repository of a features manifest in ``folder/MANIFEST``, built there unless it is there already."""
    place = folder / manifest
    if not (place / _READY).exists():
        shutil.rmtree(place, ignore_errors=True)  # an earlier build was cut short
        rows = read_rows(store, load_manifest(store, manifest), "features", SegmentFeatures)
        build_repository(place, list(rows)).materialise()
        (place / _READY).touch()
    return Repository(place)


@contextmanager
def _hushed() -> Iterator[None]:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):  # Feast prints its progress
        yield


def _to_columns(row: SegmentFeatures) -> dict[str, Any]:
    columns = asdict(row)
    measures = columns.pop("measures")
    prefixed = {MEASURE_PREFIX + name: value for name, value in measures.items()}
    return {**columns, **prefixed, TIME_COLUMN: EVENT_TIME}


def _from_columns(columns: dict[Any, Any]) -> SegmentFeatures:
    return SegmentFeatures(
        segment_id=columns[KEY],
        split=columns["split"],
        duration_s=float(columns["duration_s"]),
        licence=columns["licence"],
        language=columns["language"],
        fine_captions=int(columns["fine_captions"]),
        overall_captions=int(columns["overall_captions"]),
        measures={
            name.removeprefix(MEASURE_PREFIX): float(value)
            for name, value in sorted(columns.items())
            if name.startswith(MEASURE_PREFIX)
        },
    )

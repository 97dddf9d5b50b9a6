"""Any stretch of a manifest's rows, across shards, without the rest."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clsp.records import Failure
from clsp.storage import open_store
from clsp.storage.manifest import Counts, Manifest, save_rows
from clsp.storage.slices import RowSlices
from clsp.storage.steps import make_recipe

SIZES = (3, 1, 4, 1, 5)
ROWS = [Failure(f"r{number}", "s", "failed", "why", "", number) for number in range(sum(SIZES))]


@pytest.fixture(scope="module")
def slices(tmp_path_factory):
    store = open_store(str(tmp_path_factory.mktemp("slices")))
    starts = [sum(SIZES[:number]) for number in range(len(SIZES))]
    shards = tuple(
        save_rows(store, "failures", Failure, ROWS[start : start + size])
        for start, size in zip(starts, SIZES, strict=True)
    )
    counts = Counts(unit="rows", rows_in=len(ROWS), accepted=len(ROWS))
    manifest = Manifest(record="failures", recipe=make_recipe("s", {}), parents=(), shards=shards, counts=counts)
    return RowSlices(store, manifest.of_kind("failures"), Failure)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bounds=st.tuples(st.integers(0, len(ROWS)), st.integers(0, len(ROWS))))
def test_every_stretch_is_what_the_whole_has_there(slices, bounds):
    start, stop = sorted(bounds)
    assert slices.read(start, stop) == ROWS[start:stop]


def test_a_column_and_the_length_are_those_of_all_shards(slices):
    assert len(slices) == len(ROWS)
    assert list(slices.column("id")) == [row.id for row in ROWS]

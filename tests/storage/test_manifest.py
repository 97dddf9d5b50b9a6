"""Manifests are named by their content, add up, and are refused when they do not."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from clsp.errors import DataError
from clsp.hashing import digest
from clsp.records import Failure
from clsp.storage.manifest import (
    Counts,
    Manifest,
    Recipe,
    load_manifest,
    manifest_key,
    read_rows,
    read_shard,
    save_manifest,
    save_rows,
)

ROWS = [Failure(str(number), "step", "failed", "reason", "", 1) for number in range(3)]


def manifest_of(shards=(), accepted=0, **changes):
    counts = Counts(unit="rows", rows_in=accepted, accepted=accepted)
    values = {"record": "rows", "recipe": Recipe(step="s", code="1"), "parents": (), "shards": shards, "counts": counts}
    return Manifest(**(values | changes))


def test_a_manifest_and_its_rows_come_back(store):
    shards = (save_rows(store, "rows", Failure, ROWS[:2]), save_rows(store, "rows", Failure, ROWS[2:]))
    name = save_manifest(store, manifest_of(shards, 3))
    assert save_manifest(store, manifest_of(shards, 3)) == name
    loaded = load_manifest(store, name)
    assert loaded == manifest_of(shards, 3)
    assert list(read_rows(store, loaded, "rows", Failure)) == ROWS


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 30))
def test_sums_must_add_up(accepted, rejected, failed, rows_in):
    parts = {"accepted": accepted, "rejected": {"a": rejected}, "failed": {"b": failed}}
    if rows_in == accepted + rejected + failed:
        assert Counts(unit="rows", rows_in=rows_in, **parts).rejected_total == rejected
    else:
        with pytest.raises(ValidationError, match="rows in, but"):
            Counts(unit="rows", rows_in=rows_in, **parts)


def test_shards_must_hold_what_was_accepted(store):
    shard = save_rows(store, "rows", Failure, ROWS)
    with pytest.raises(ValidationError, match="2 accepted rows, but the shards hold 3"):
        manifest_of((shard,), 2)


def test_an_altered_manifest_is_refused(store):
    name = save_manifest(store, manifest_of())
    store.put_blob(manifest_key(name), store.get(manifest_key(name)).replace(b'"s"', b'"t"'))
    with pytest.raises(DataError, match="altered"):
        load_manifest(store, name)


def test_a_manifest_whose_sums_do_not_add_up_is_refused_by_its_reader(store):
    values = manifest_of().model_dump(mode="json")
    values["counts"]["rows_in"] = 7
    data = orjson.dumps(values)
    store.put_blob(manifest_key(digest(data)), data)
    with pytest.raises(DataError, match="7 rows in, but 0 out"):
        load_manifest(store, digest(data))


def test_an_altered_shard_is_refused(store):
    shard = save_rows(store, "rows", Failure, ROWS)
    store.put_blob(shard.key, b"other bytes")
    with pytest.raises(DataError, match="altered"):
        read_shard(store, shard)

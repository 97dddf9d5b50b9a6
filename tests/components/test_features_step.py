"""The features step: measured, held by Feast, selected by its join; interrupted and repeated without a difference."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import orjson
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from clsp.audio.acoustics import measure
from clsp.config import FeatureSettings
from clsp.errors import DataError
from clsp.records import Example, Failure
from clsp.storage import open_store
from clsp.storage.audio_shards import ByteRange, Sound, save_audio
from clsp.storage.manifest import Counts, Manifest, load_manifest, read_rows, save_manifest, save_rows
from clsp.storage.steps import make_recipe
from components.features import training_set
from components.features.main import run
from components.features.measuring import measure_clip
from components.features.rows import SegmentFeatures, describe
from components.features.selection import (
    FEW_CAPTIONS,
    LICENCE,
    TOO_LONG,
    TOO_SHORT,
    UNREADABLE,
    reject_reason,
    select,
)
from tests import judged_rows

RATE = 16_000
COUNT = 10
SETTINGS = {"min_seconds": 1.0, "max_seconds": 2.0, "licences": ["CC0-1.0"], "examples_per_unit": 3, "workers": 1}
BROKEN, SHORT, LONG, LICENSED, FEW = 3, 4, 5, 8, 9


def tone(number: int) -> bytes:
    time = np.arange(RATE) / RATE
    sound = 0.1 * np.sin(2 * np.pi * (110 + 10 * number) * time) * (1.2 + np.sin(2 * np.pi * 4 * time))
    buffer = io.BytesIO()
    soundfile.write(buffer, sound.astype(np.float32), RATE, format="FLAC")
    return b"not sound" if number == BROKEN else buffer.getvalue()


def example(number: int, place: ByteRange) -> Example:
    segment = judged_rows.segment(number)
    return Example(
        segment_id=segment.id,
        split="train" if number >= LICENSED else segment.split,
        speaker=segment.speaker,
        duration_s={SHORT: 0.5, LONG: 2.5}.get(number, 1.0),
        licence="unknown" if number == LICENSED else "CC0-1.0",
        language="en",
        fine=("one", "two")[: 1 if number in (2, FEW) else 2],
        overall=("whole",) if number % 2 else (),
        audio_key=place.key,
        audio_offset=place.offset,
        audio_length=place.length,
        measures={},
    )


def keep_examples(store) -> tuple[str, list[Example]]:
    shard, places = save_audio(store, [Sound(f"s{number}", tone(number), {}) for number in range(COUNT)])
    rows = [example(number, place) for number, place in enumerate(places)]
    counts = Counts(unit="segments", rows_in=COUNT, accepted=COUNT)
    shards = (save_rows(store, "examples", Example, rows), shard)
    recipe = make_recipe("validate", {})
    return save_manifest(
        store, Manifest(record="examples", recipe=recipe, parents=(), shards=shards, counts=counts)
    ), rows


def run_in(folder, **changes):
    store = open_store(str(folder))
    parent, rows = keep_examples(store)
    settings = orjson.dumps(SETTINGS | changes).decode()
    name = run(store=store.uri, run_id="r", settings=settings, examples=parent)
    return store, rows, name, load_manifest(store, name)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run_in(tmp_path_factory.mktemp("features"))


@pytest.fixture(scope="module")
def repository(done, tmp_path_factory):
    from components.features.repository import open_repository

    store, _, name, _ = done
    folder = tmp_path_factory.mktemp("feast")
    open_repository(store, name, folder)
    return open_repository(store, name, folder)  # the second time it is opened, not built


def test_rows_left_out_are_counted_by_reason_and_named(done):
    store, rows, _, manifest = done
    assert (manifest.counts.rows_in, manifest.counts.accepted) == (10, 5)
    assert manifest.counts.rejected == {TOO_SHORT: 1, TOO_LONG: 1, LICENCE: 1, FEW_CAPTIONS: 1}
    assert manifest.counts.failed == {UNREADABLE: 1}
    failures = {row.id: (row.outcome, row.reason) for row in read_rows(store, manifest, "failures", Failure)}
    assert failures == {
        rows[BROKEN].segment_id: ("failed", UNREADABLE),
        rows[SHORT].segment_id: ("rejected", TOO_SHORT),
        rows[LONG].segment_id: ("rejected", TOO_LONG),
        rows[LICENSED].segment_id: ("rejected", LICENCE),
        rows[FEW].segment_id: ("rejected", FEW_CAPTIONS),
    }


def test_selected_examples_carry_the_measures_of_their_sound(done):
    store, rows, _, manifest = done
    kept = list(read_rows(store, manifest, "examples", Example))
    assert [replace(one, measures={}) for one in kept] == [rows[number] for number in (0, 1, 2, 6, 7)]
    samples, rate = soundfile.read(io.BytesIO(tone(1)), dtype="float32")
    assert kept[1].measures == pytest.approx(measure(samples, rate).to_dict(), abs=1e-6)
    assert kept[1].measures["pitch_hz"] == pytest.approx(120, rel=0.02)
    assert manifest.info == {
        "dev": {"examples": 2, "seconds": 2.0},
        "test": {"examples": 1, "seconds": 1.0},
        "train": {"examples": 2, "seconds": 2.0},
    }


def test_the_join_of_feast_equals_a_plain_join(done, repository):
    store, _, _, manifest = done
    rows = list(read_rows(store, manifest, "features", SegmentFeatures))
    table = pd.DataFrame([{**vars(row), **row.measures} for row in rows]).drop(columns="measures")
    asked = [row.segment_id for row in reversed(rows)]
    plain = pd.DataFrame({"segment_id": asked}).merge(table, on="segment_id", how="left", validate="1:1")
    joined = pd.DataFrame([{**vars(row), **row.measures} for row in repository.historical(asked)])
    pd.testing.assert_frame_equal(joined[plain.columns], plain)


def test_online_lookups_give_the_same_features_and_leave_out_strangers(done, repository):
    store, rows, _, manifest = done
    held = {row.segment_id: row for row in read_rows(store, manifest, "features", SegmentFeatures)}
    found = repository.online([rows[0].segment_id, "nobody", rows[FEW].segment_id])
    assert found == {name: held[name] for name in (rows[0].segment_id, rows[FEW].segment_id)}


def test_two_stores_and_other_workers_give_the_same_manifest(done, tmp_path):
    assert run_in(tmp_path, workers=2)[2] == done[2]


def test_a_run_cut_short_goes_on_from_its_units(done, tmp_path, monkeypatch):
    whole, asked = training_set.measure_examples, []

    def cut_short(pool, uri, examples):
        if len(asked) == 2:
            raise KeyboardInterrupt
        return whole(pool, uri, asked.append(examples) or examples)

    monkeypatch.setattr(training_set, "measure_examples", cut_short)
    with pytest.raises(KeyboardInterrupt):
        run_in(tmp_path)
    resumed = []
    monkeypatch.setattr(
        training_set, "measure_examples", lambda pool, uri, rows: whole(pool, uri, resumed.append(len(rows)) or rows)
    )
    assert run_in(tmp_path)[2] == done[2]
    assert resumed == [3, 1]


def test_examples_are_joined_and_saved_a_stretch_at_a_time(done, tmp_path, monkeypatch):
    monkeypatch.setattr(training_set, "STRETCH", 4)  # a unit of three
    store, _, _, manifest = run_in(tmp_path)
    assert [shard.rows for shard in manifest.of_kind("examples")] == [3, 0, 2, 0]
    assert [shard.rows for shard in manifest.of_kind("failures")] == [0, 3, 1, 1]
    for kind, record in (("examples", Example), ("failures", Failure)):
        assert list(read_rows(store, manifest, kind, record)) == list(read_rows(done[0], done[3], kind, record))
    assert (manifest.counts, manifest.info) == (done[3].counts, done[3].info)


def test_a_training_set_without_train_is_refused(tmp_path):
    with pytest.raises(DataError, match="no example of train is left of 10"):
        run_in(tmp_path, licences=["none of them"])


@pytest.mark.parametrize("data", [b"", b"text", tone(1)[:60]])
def test_sound_that_cannot_be_read_has_no_measures(store, data):
    _, (place,) = save_audio(store, [Sound("x", data, {})])
    assert measure_clip(store.uri, place) is None


def test_two_channels_have_no_measures(store):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros((RATE, 2), dtype=np.float32), RATE, format="FLAC")
    _, (place,) = save_audio(store, [Sound("x", buffer.getvalue(), {})])
    assert measure_clip(store.uri, place) is None


def test_a_unit_writes_features_of_what_could_be_measured(store):
    _, rows = keep_examples(store)
    with ThreadPoolExecutor(1) as pool:
        result = training_set.measure_unit(store, pool, rows[2:5])
    assert result["shard"]["rows"] == 2


features = st.builds(
    SegmentFeatures,
    segment_id=st.sampled_from([f"segment-{number:03d}" for number in range(12)]),
    split=st.sampled_from(["train", "dev", "test"]),
    duration_s=st.floats(0.1, 40),
    licence=st.sampled_from(["CC0-1.0", "other"]),
    language=st.just("en"),
    fine_captions=st.integers(1, 4),
    overall_captions=st.integers(0, 2),
    measures=st.just({"pitch_hz": 120.0}),
)
settings = st.builds(
    FeatureSettings,
    min_seconds=st.floats(0, 5),
    max_seconds=st.floats(5, 40),
    min_fine_captions=st.integers(1, 3),
    licences=st.sampled_from([(), ("CC0-1.0",)]),
)
PLACE = ByteRange("x", 0, 1)


@given(st.lists(features, max_size=12), settings)
def test_a_selection_loses_no_row(rows, chosen):
    examples = [example(number, PLACE) for number in range(12)]
    selection = select(examples, rows, chosen)
    left_out = sum(selection.rejected.values()) + sum(selection.failed.values())
    assert len(selection.examples) + left_out == len(examples)
    assert {row.id for row in selection.failures}.isdisjoint(kept.segment_id for kept in selection.examples)


@given(features, settings)
def test_a_selected_row_meets_every_demand(row, chosen):
    meets = (
        chosen.min_seconds <= row.duration_s <= chosen.max_seconds
        and (not chosen.licences or row.licence in chosen.licences)
        and row.fine_captions >= (chosen.min_fine_captions if row.split == "train" else 1)
    )
    assert (reject_reason(row, chosen) == "") is meets


def test_equal_texts_count_as_one_caption():
    twice = replace(example(0, PLACE), fine=("one", "one", "two"), overall=("a", "a"))
    described = describe(twice, {"pitch_hz": 1.0})
    assert (described.fine_captions, described.overall_captions) == (2, 1)

"""The evaluate step on a real tiny model: files fetched, sounds read, scores committed once."""

import pytest

from clsp.config import EvaluationSettings
from clsp.evaluation.embeddings import Embedding
from clsp.records import Example
from clsp.storage.audio_shards import Sound, save_audio
from clsp.storage.files import save_files
from clsp.storage.manifest import Counts, Manifest, Recipe, load_manifest, read_rows, save_manifest, save_rows
from components.evaluate.main import run
from components.runner import read_reports
from tests.tiny_model import TEXTS, encoded, tone, write_tiny_model

SETTINGS = EvaluationSettings(examples_per_unit=4, batch_size=2)


def save(store, record: str, shards, rows: int) -> str:
    counts = Counts(unit="examples", rows_in=rows, accepted=rows)
    recipe = Recipe(step="made", code="test")
    return save_manifest(store, Manifest(record=record, recipe=recipe, parents=(), shards=tuple(shards), counts=counts))


@pytest.fixture
def parents(store, tmp_path):
    _, places = save_audio(
        store, [Sound(f"s{number}", encoded(tone(1 + number / 10, 100 + 30 * number)), {}) for number in range(6)]
    )
    rows = [
        Example(
            segment_id=f"s{number}", split="test", speaker=f"v{number % 2}", duration_s=1.0 + number / 10,
            licence="CC0", language="en", fine=(f"{TEXTS[number % len(TEXTS)]} {number}",), overall=("A voice.",),
            audio_key=place.key, audio_offset=place.offset, audio_length=place.length, measures={},
        )
        for number, place in enumerate(places)
    ]  # fmt: skip
    examples = save(store, "examples", [save_rows(store, "examples", Example, rows)], len(rows))
    model = save(store, "", save_files(store, write_tiny_model(tmp_path / "model")), len(rows))
    return {"examples": examples, "stage2": model}


def test_scores_a_real_model_once(store, parents):
    name = run(store=store.uri, run_id="a", settings=SETTINGS.model_dump_json(), **parents)
    manifest = load_manifest(store, name)
    scores = manifest.info["retrieval"]
    assert scores["fine"]["speech_to_text"]["n"] == 6
    assert scores["global"]["speech_to_text"]["r1"] == scores["global"]["text_to_speech"]["r1"]
    assert scores["global"]["speech_to_text"]["r1"] == pytest.approx(1 / 6, abs=1e-6)  # one caption for all: chance
    rows = list(read_rows(store, manifest, "embeddings", Embedding))
    assert [sum(value * value for value in row.speech) for row in rows] == pytest.approx([1.0] * 6, abs=1e-5)
    assert run(store=store.uri, run_id="b", settings=SETTINGS.model_dump_json(), **parents) == name
    assert read_reports(store, "b")["evaluate"].reused


def test_another_seed_is_other_work(store, parents):
    first = run(store=store.uri, run_id="a", settings=SETTINGS.model_dump_json(), **parents)
    other = SETTINGS.model_copy(update={"seed": 1}).model_dump_json()
    assert run(store=store.uri, run_id="a", settings=other, **parents) != first

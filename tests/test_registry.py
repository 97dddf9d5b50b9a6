"""The registry: versions are their content, aliases move once a state, nothing altered is ever given out."""

import multiprocessing
import string
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clsp.errors import ModelError
from clsp.registry import (
    CardFacts,
    current_alias,
    fetch,
    move_alias,
    parse_uri,
    publish,
    read_document,
    resolve,
    versions,
    write_card,
)
from clsp.registry.references import parse_reference
from clsp.storage import open_store


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "made"
    (made / "sub").mkdir(parents=True)
    (made / "model.safetensors").write_bytes(b"weights")
    (made / "sub" / "tokenizer.json").write_text("{}")
    return made


def register(store, folder, name="clsp", **changes):
    facts = {"licences": {"cc0": 3}, "manifests": {"examples": "e", "model": "m", "evaluation": "v"}}
    return publish(store, name, folder, **{**facts, **changes})


def test_a_version_is_named_by_its_content(store, folder):
    first = register(store, folder)
    assert first == register(store, folder)
    assert first.version == first.sha256[:12]
    assert first.manifest == "m"
    assert versions(store, "clsp") == [first.version]
    assert register(store, folder, name="other").sha256 == first.sha256
    assert register(store, folder, licences={"cc0": 4}).version != first.version
    (folder / "model.safetensors").write_bytes(b"others")
    assert register(store, folder).version != first.version
    assert len(versions(store, "clsp")) == 3


def test_version_json_tells_files_licences_and_origin(store, folder):
    version = register(store, folder)
    stored = orjson.loads(store.get(f"models/clsp/{version.version}/version.json"))
    assert stored["licences"] == {"cc0": 3}
    assert stored["manifests"]["examples"] == "e"
    assert stored["files"]["sub/tokenizer.json"]["bytes"] == 2
    assert read_document(store, "clsp", version.version).sha256 == version.sha256


def test_fetch_gives_back_the_files_and_checks_them(store, folder, tmp_path):
    version = register(store, folder)
    out = fetch(store, version, tmp_path / "out")
    assert (out / "sub" / "tokenizer.json").read_text() == "{}"
    store.put_blob(f"models/clsp/{version.version}/model.safetensors", b"changed")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        fetch(store, version, tmp_path / "again")


def test_a_changed_document_no_longer_answers_to_its_name(store, folder):
    version = register(store, folder)
    key = f"models/clsp/{version.version}/version.json"
    store.put_blob(key, store.get(key).replace(b"cc0", b"cc1"))
    with pytest.raises(ModelError, match="altered"):
        resolve(store, f"clsp/{version.version}")


def test_references_resolve_to_the_same_version(store, folder):
    version = register(store, folder)
    assert move_alias(store, "clsp", "latest", version.version, expected=None)
    assert resolve(store, "clsp@latest") == resolve(store, f"clsp/{version.version}") == version
    assert resolve(store, "clsp/latest") == version


@pytest.mark.parametrize("reference", ["clsp@nope", "clsp/nope", "other@latest", "clsp", "a b@c", "clsp@aliases"])
def test_what_cannot_be_resolved_is_explained(store, folder, reference):
    register(store, folder)
    with pytest.raises(ModelError, match="hint"):
        resolve(store, reference)


def test_an_alias_moves_only_from_what_was_expected(store):
    assert current_alias(store, "clsp", "latest") is None
    assert not move_alias(store, "clsp", "latest", "b", expected="a")
    assert move_alias(store, "clsp", "latest", "a", expected=None)
    assert not move_alias(store, "clsp", "latest", "b", expected=None)
    assert move_alias(store, "clsp", "latest", "b", expected="a")
    assert current_alias(store, "clsp", "latest") == "b"
    assert list(store.list("models/clsp/aliases/latest/")) == [
        f"models/clsp/aliases/latest/{number:06d}.json" for number in (1, 2)
    ]


def test_one_of_many_threads_moves_an_alias(store):
    for number in range(5):
        expected = current_alias(store, "clsp", "latest")
        with ThreadPoolExecutor(8) as pool:
            moves = list(
                pool.map(
                    lambda mover, expected=expected, number=number: move_alias(
                        store, "clsp", "latest", f"v{number}-{mover}", expected
                    ),
                    range(8),
                )
            )
        assert sum(moves) == 1
        assert current_alias(store, "clsp", "latest") == f"v{number}-{moves.index(True)}"


def _move(uri: str, version: str) -> bool:
    return move_alias(open_store(uri), "clsp", "latest", version, expected=None)


def test_one_of_many_processes_moves_an_alias(store):
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        moves = list(pool.map(_move, [store.uri] * 2, "ab"))
    assert sum(moves) == 1
    assert current_alias(store, "clsp", "latest") == "ab"[moves.index(True)]


NAMES = st.text(string.ascii_letters + string.digits, min_size=1, max_size=20)


@given(NAMES.filter(lambda name: name != "aliases"), NAMES.filter(lambda name: name != "aliases"))
def test_references_are_read_as_they_are_written(name, label):
    assert (parse_reference(f"{name}@{label}").name, parse_reference(f"{name}@{label}").label) == (name, label)
    assert parse_uri(f"s3://bucket/prefix/models/{name}/{label}") == ("s3://bucket/prefix", f"{name}/{label}")


@given(st.binary(max_size=64))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_equal_content_has_equal_versions(tmp_path, content):
    made = tmp_path / "content"
    made.mkdir(exist_ok=True)
    (made / "file").write_bytes(content)
    stores = [open_store(str(tmp_path / name)) for name in ("one", "two")]
    one, two = (register(each, made) for each in stores)
    assert (one.version, one.sha256) == (two.version, two.sha256)


def test_the_card_tells_data_scores_and_limits():
    score = {"r1": 0.5, "r1_low": 0.4, "r1_high": 0.6, "map10": 0.55, "chance": 0.01}
    card = write_card(
        CardFacts(
            name="clsp",
            parameters=1_234_567,
            embedding_dim=128,
            clips={"train": 1000, "test": 80},
            hours={"train": 1.5, "test": 0.12},
            speakers={"train": 10, "test": 2},
            licences={"": 80, "CC0-1.0": 1000},
            languages={"en": 1080},
            retrieval={"fine": {"speech_to_text": score}},
            control={"fine": {"speech_to_text": {**score, "r1": 0.012}}},
        )
    )
    for part in (
        "# clsp", "1,234,567 parameters", "| train | 1,000 | 1.50 | 10 |", "| CC0-1.0 | 1,000 |", "| not stated | 80 |",
        "| fine | speech → text | 0.500 (0.400–0.600) | 0.550 | 0.010 | 0.012 |", "## Limits",
    ):  # fmt: skip
        assert part in card

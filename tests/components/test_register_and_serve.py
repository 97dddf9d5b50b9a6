"""Register and serve as steps: a trained model becomes a version once, and its server answers as the model does."""

import orjson
import pytest

import clsp
from clsp.config import RegisterSettings, ServeSettings
from clsp.errors import ConfigError
from clsp.registry import current_alias, move_alias, read_document, versions
from clsp.storage.manifest import load_manifest
from components.register.main import run as run_register
from components.register.version import point_alias
from components.serve.main import run as run_serve
from tests.handovers import SCORES, make_parents


@pytest.fixture
def parents(store, tmp_path):
    return make_parents(store, tmp_path / "model")


def register(store, parents, **settings):
    chosen = RegisterSettings(**settings).model_dump_json()
    return run_register(store=store.uri, run_id="run", settings=chosen, **parents)


def test_a_registered_model_is_complete_and_servable(store, parents, tmp_path):
    name = register(store, parents)
    info = load_manifest(store, name).info
    assert info["uri"] == f"models/clsp/{info['version']}"
    assert info["manifest"] == parents["stage2"]
    assert str(tmp_path) not in store.get(f"manifests/{name}.json").decode()
    assert current_alias(store, "clsp", "latest") == info["version"]

    document = read_document(store, "clsp", info["version"])
    assert set(document.files) >= {"config.json", "model.safetensors", "tokenizer.json", "README.md", "evaluation.json"}
    assert document.licences == {"CC0-1.0": 3}
    assert document.manifests == {**{k: parents[k] for k in ("examples", "evaluation")}, "model": parents["stage2"]}
    card = store.get(f"{info['uri']}/README.md").decode()
    assert "| train | 2 | 0.00 | 2 |" in card
    assert "0.500 (0.400–0.600)" in card
    assert orjson.loads(store.get(f"{info['uri']}/evaluation.json"))["retrieval"]["fine"]["speech_to_text"] == SCORES
    assert clsp.load_model(f"{store.uri}/models/clsp@latest").identity.sha256 == info["sha256"]

    served = run_serve(store=store.uri, run_id="run", settings=ServeSettings(threads=1).model_dump_json(), version=name)
    answer = load_manifest(store, served).info
    assert answer["version"] == info["version"]
    assert -1 <= answer["cosine"] <= 1


def test_registering_again_is_the_same_version(store, parents):
    first = register(store, parents)
    assert register(store, parents) == first
    assert register(store, parents, alias="other") != first
    assert len(versions(store, "clsp")) == 1
    assert current_alias(store, "clsp", "other") == current_alias(store, "clsp", "latest")
    assert len(list(store.list("models/clsp/aliases/latest/"))) == 1


def test_an_alias_is_moved_from_wherever_it_points(store):
    assert move_alias(store, "clsp", "latest", "older", expected=None)
    point_alias(store, "clsp", "latest", "newer")
    point_alias(store, "clsp", "latest", "newer")
    assert current_alias(store, "clsp", "latest") == "newer"
    assert len(list(store.list("models/clsp/aliases/latest/"))) == 2


def test_wrong_settings_are_explained(store, parents):
    with pytest.raises(ConfigError, match="surprise"):
        run_register(store=store.uri, run_id="run", settings='{"surprise": 1}', **parents)

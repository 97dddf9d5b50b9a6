"""Stage 1 from weights made elsewhere: they are what it starts from, by content, and what was never trained is told."""

import shutil

import orjson
import pytest
import torch
from safetensors.torch import load_file

import clsp
from clsp.config import TrainSettings
from clsp.data.tokenizer import train_tokenizer
from clsp.errors import ConfigError, ModelError
from clsp.export import save_model
from clsp.model import DualEncoder
from clsp.model.directory import UNTRAINED_FILE, read_untrained
from clsp.model.importing import ImportOptions, import_model
from clsp.model.tokens import longest_text
from clsp.registry import move_alias, publish
from clsp.storage import open_store
from clsp.storage.manifest import load_manifest
from clsp.training.stage import make_trainer
from clsp.training.world import World
from components.train.initial import Initial, fetch_initial
from components.train.main import run_stage1, stage_recipe
from components.train.order import lay_out, make_order
from tests.model import foreign_models
from tests.model.foreign_models import SHAPE, spear_folder, weights
from tests.speech import save_tones
from tests.tiny_model import TEXTS

CONFIG = SHAPE.with_text(vocab_size=320)
WEIGHTS = weights(config=CONFIG)
SPEECH, TEXT = ("encoder_embed.", "encoder."), ("text_encoder.",)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def tokenizer(tmp_path):
    """A tokenizer of as many tokens as the foreign models know."""
    train_tokenizer(TEXTS * 3, CONFIG.text["vocab_size"], tmp_path / "tokenizer", longest_text(CONFIG))
    return tmp_path / "tokenizer"


def clsp_folder(folder, tensors):
    return foreign_models.clsp_folder(folder, tensors, CONFIG)


def roberta_folder(folder, tensors):
    return foreign_models.roberta_folder(folder, tensors, CONFIG)


def settings(tokenizer="", **initial):
    stage = {"steps": 1, "batch": {"global_clips": 4, "buckets": 1}}
    return TrainSettings.model_validate({"initial": initial, "tokenizer": str(tokenizer), "stage1": stage})


def started(store, tmp_path, chosen):
    """The weights that a trainer of stage 1 starts with, and the order."""
    examples = save_tones(store, 4)
    order = make_order(store, "stage1", chosen, (examples,), "c", fetch_initial(chosen, tmp_path / "fetched"))
    (tmp_path / "job").mkdir()
    trainer = make_trainer(lay_out(store, order, tmp_path / "job"), World())
    return trainer.model.state_dict(), order


def assert_taken(state, prefixes, apart=()):
    for name, value in WEIGHTS.items():
        if name.startswith(prefixes) and not name.startswith(apart):
            assert torch.equal(state[name], value), name


def test_both_towers_are_taken_and_the_rest_starts_from_the_seed(store, tmp_path, tokenizer):
    spear, roberta = spear_folder(tmp_path / "spear", WEIGHTS), roberta_folder(tmp_path / "roberta", WEIGHTS)
    chosen = settings(tokenizer, model=str(spear), text=str(roberta))
    state, order = started(store, tmp_path, chosen)
    assert_taken(state, SPEECH, ("encoder.downsample_output",))
    assert_taken(state, TEXT, ("text_encoder.pooler",))
    assert torch.equal(state["encoder.downsample_output.bias"], torch.zeros(2))
    assert "audio_projection" in order.untrained
    assert "text_encoder.pooler" in order.untrained
    assert "encoder" not in order.untrained


def test_a_whole_model_is_taken(store, tmp_path, tokenizer):
    state, order = started(store, tmp_path, settings(tokenizer, model=str(clsp_folder(tmp_path / "whole", WEIGHTS))))
    assert_taken(state, ("",))
    assert order.untrained == ()


def test_a_text_tower_alone_joins_the_preset(store, tmp_path, tokenizer):
    state, order = started(
        store, tmp_path, settings(tokenizer, text=str(roberta_folder(tmp_path / "roberta", WEIGHTS)))
    )
    assert_taken(state, TEXT, ("text_encoder.pooler",))
    assert "encoder" in order.untrained


def test_a_speech_tower_alone_gets_a_tokenizer_of_the_captions(store, tmp_path):
    chosen = settings(model=str(spear_folder(tmp_path / "spear", WEIGHTS)))
    state, order = started(store, tmp_path, chosen)
    assert_taken(state, SPEECH, ("encoder.downsample_output",))
    assert {"text_encoder", "text_projection"} <= set(order.untrained)


def test_a_trained_text_tower_without_its_tokenizer_is_refused(store, tmp_path):
    chosen = settings(text=str(roberta_folder(tmp_path / "roberta", WEIGHTS)))
    with pytest.raises(ModelError, match="no tokenizer") as caught:
        started(store, tmp_path, chosen)
    assert "train.tokenizer" in caught.value.hint


def test_the_recipe_follows_the_content_and_not_the_path(tmp_path):
    first = clsp_folder(tmp_path / "first", WEIGHTS)
    moved = shutil.copytree(first, tmp_path / "moved")
    other = clsp_folder(tmp_path / "other", weights(1, CONFIG))

    def recipe(folder):
        chosen = settings(model=str(folder))
        return stage_recipe("stage1", chosen, fetch_initial(chosen, tmp_path / "scratch").hashes)

    assert recipe(first) == recipe(moved)
    assert recipe(first) != recipe(other)
    (moved / "README.md").write_text("not part of the model")
    assert recipe(first) == recipe(moved)
    assert recipe(first) != stage_recipe("stage1", settings(), {})
    assert stage_recipe("stage2", settings(model=str(first)), {}) == stage_recipe("stage2", settings(), {})


def test_a_registered_version_is_fetched_from_its_store(store, tmp_path):
    version = publish(store, "clsp", clsp_folder(tmp_path / "model", WEIGHTS), licences={}, manifests={})
    move_alias(store, "clsp", "latest", version.version, expected=None)
    found = fetch_initial(settings(model=f"{store.uri}/models/clsp@latest"), tmp_path / "scratch")
    assert (found.weights / "model.safetensors").is_file()


def test_folders_and_checkpoints_of_an_object_store_are_fetched(s3_environment, s3_store, tmp_path, tokenizer):
    spear = spear_folder(tmp_path / "spear", WEIGHTS)
    for folder in (spear, tokenizer):
        for file in folder.iterdir():
            s3_store.put_file(f"{folder.name}/{file.name}", file)
    s3_store.put_blob("runs/epoch-3.pt", b"weights")
    s3_store.put_blob("runs/epoch-30.pt", b"others")
    s3_store.put_blob("spear/logs/events", b"not of the model")
    chosen = settings(f"{s3_store.uri}/tokenizer", model=f"{s3_store.uri}/spear/")
    found = fetch_initial(chosen, tmp_path / "fetched")
    assert found.hashes == fetch_initial(settings(tokenizer, model=str(spear)), tmp_path / "unused").hashes
    assert {file.name for file in found.model.iterdir()} == {file.name for file in spear.iterdir()}
    one = fetch_initial(settings(model=f"{s3_store.uri}/runs/epoch-3.pt"), tmp_path / "one")
    assert one.weights == tmp_path / "one" / "model" / "epoch-3.pt"
    assert one.weights.read_bytes() == b"weights"
    with pytest.raises(ConfigError, match="nothing at 's3://"):
        fetch_initial(settings(model=f"{s3_store.uri}/nowhere"), tmp_path / "none")


@pytest.mark.slow
def test_a_trainer_starts_from_weights_of_an_object_store(s3_environment, s3_store, store, tmp_path, tokenizer):
    whole = clsp_folder(tmp_path / "whole", WEIGHTS)
    for file in (*whole.iterdir(), *tokenizer.iterdir()):
        s3_store.put_file(f"whole/{file.name}", file)
    state, order = started(store, tmp_path, settings(model=f"{s3_store.uri}/whole"))
    assert_taken(state, ("",))
    assert order.untrained == ()


def test_nowhere_is_said(tmp_path):
    with pytest.raises(ConfigError, match="nothing at '/nowhere'"):
        fetch_initial(settings(model="/nowhere"), tmp_path)
    assert fetch_initial(settings(), tmp_path) == Initial()


def test_an_imported_start_says_what_was_never_trained(tmp_path, capsys):
    spear, roberta = spear_folder(tmp_path / "spear", WEIGHTS), roberta_folder(tmp_path / "roberta", WEIGHTS)
    written = import_model(spear, tmp_path / "start", ImportOptions(text=roberta))
    assert read_untrained(tmp_path / "start") == set(written.untrained)
    again = import_model(tmp_path / "start", tmp_path / "again")
    assert again.untrained == written.untrained
    clsp.load_model(tmp_path / "again")
    said = "".join(capsys.readouterr())
    assert "model_untrained" in said
    assert "audio_projection" in said
    model = DualEncoder(clsp.load_model(tmp_path / "again").config)
    save_model(tmp_path / "again", model, model.config)
    assert not (tmp_path / "again" / UNTRAINED_FILE).exists()


@pytest.mark.slow
def test_a_stage_from_a_whole_model_leaves_one_that_is_near_it(store, tmp_path, tokenizer):
    whole = clsp_folder(tmp_path / "whole", WEIGHTS)
    for file in tokenizer.iterdir():
        shutil.copy(file, whole)
    changes = {"initial": {"model": str(whole)}, "processes": 1, "loader": {"workers": 0}}
    stage = {"steps": 1, "batch": {"global_clips": 4, "buckets": 1}, "optimiser": {"base_lr": 1e-6}}
    given = orjson.dumps(changes | {"stage1": stage}).decode()
    name = run_stage1(store=store.uri, run_id="r", settings=given, examples=save_tones(store, 4))
    (shard,) = [each for each in load_manifest(store, name).shards if each.kind == "file/model.safetensors"]
    store.get_file(shard.key, tmp_path / "trained.safetensors")
    trained = load_file(tmp_path / "trained.safetensors")
    for key, value in WEIGHTS.items():
        if value.ndim < 2:
            continue  # scalars have their own limits
        torch.testing.assert_close(trained[f"model.{key}"], value, atol=1e-4, rtol=1e-4)

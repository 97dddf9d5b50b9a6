"""Export: what is written is the published layout, byte for byte the same for the same weights."""

import pytest
import torch
from safetensors.torch import load_file

import clsp
from clsp.errors import ModelError
from clsp.export import count_parameters, export_model, load_weights, save_model, save_model_directory
from clsp.model import DualEncoder
from clsp.model.directory import read_config
from clsp.registry import publish
from clsp.storage import open_store
from tests.tiny_model import TEXTS, write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


def test_weights_survive_a_round_trip_exactly(folder, tmp_path):
    config = read_config(folder)
    model = DualEncoder(config)
    load_weights(model, folder)
    save_model(tmp_path / "again", model, config)
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == ["config.json", "model.safetensors"]


def test_names_carry_the_published_prefix(folder):
    names = load_file(folder / "model.safetensors")
    assert all(name.startswith("model.") for name in names)
    assert "model.audio_transform.sequential.3.bias" in names


def test_a_directory_with_its_tokenizer_can_be_loaded(folder, tmp_path):
    config = read_config(folder)
    model = DualEncoder(config)
    load_weights(model, folder)
    out = save_model_directory(model, config, folder, tmp_path / "out")
    torch.testing.assert_close(clsp.load_model(out).encode_text(TEXTS), clsp.load_model(folder).encode_text(TEXTS))


def test_a_missing_tokenizer_folder_is_explained(folder, tmp_path):
    config = read_config(folder)
    with pytest.raises(ModelError, match="tokenizer"):
        save_model_directory(DualEncoder(config), config, tmp_path / "none", tmp_path / "out")


def test_parameters_are_counted_without_loading(folder):
    model = DualEncoder(read_config(folder))
    assert count_parameters(folder) == sum(value.numel() for value in model.state_dict().values())


def test_a_version_is_exported_whole_and_never_over_something(folder, tmp_path):
    store = open_store(f"file://{tmp_path}/store")
    version = publish(store, "clsp", folder, licences={}, manifests={})
    out = export_model(version.uri, tmp_path / "out")
    assert clsp.load_model(out).identity.sha256 == version.sha256
    with pytest.raises(ModelError, match="exists"):
        export_model(version.uri, out)
    with pytest.raises(ModelError, match="there is no model at"):
        export_model("somewhere", tmp_path / "other")


def test_an_altered_version_on_disk_is_not_exported(folder, tmp_path):
    store = open_store(f"file://{tmp_path}/store")
    version = publish(store, "clsp", folder, licences={}, manifests={})
    local = tmp_path / "store/models/clsp" / version.version
    assert clsp.load_model(export_model(str(local), tmp_path / "out")).identity.sha256 == version.sha256
    (local / "config.json").write_bytes((local / "config.json").read_bytes() + b" ")
    with pytest.raises(ModelError, match=r"config\.json"):
        export_model(str(local), tmp_path / "other")
    assert not (tmp_path / "other").exists()

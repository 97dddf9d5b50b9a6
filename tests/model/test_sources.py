"""Every layout that people bring is read as what it is, offline, and refused by name where it does not fit."""

import re
import socket

import orjson
import pytest
import torch
from safetensors.torch import load_file, save_file

import clsp
from clsp.errors import ModelError
from clsp.export import export_model
from clsp.model import preset
from clsp.model.importing import ImportOptions, import_model
from tests.model.foreign_models import (
    SHAPE,
    clsp_folder,
    icefall_checkpoint,
    roberta_folder,
    spear_folder,
    spelled_as_published,
    weights,
    write,
)

WEIGHTS = weights()
CLIP = 0.3 * torch.sin(torch.arange(16_000) * 0.1)
IDS = torch.tensor([[0, 7, 9, 2], [0, 5, 2, 1]])


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever opens a socket fails the test."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def stored(folder):
    return {name.removeprefix("model."): value for name, value in load_file(folder / "model.safetensors").items()}


def assert_same(actual, expected):
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert actual[name].dtype == value.dtype
        assert torch.equal(actual[name], value), name


def test_a_published_directory_goes_in_and_out_unchanged(tmp_path):
    published = clsp_folder(tmp_path / "published", WEIGHTS)
    imported = import_model(published, tmp_path / "imported")
    assert (imported.kind, imported.untrained, imported.has_tokenizer) == ("clsp", (), False)
    out = export_model(str(tmp_path / "imported"), tmp_path / "out")
    assert_same(load_file(out / "model.safetensors"), load_file(published / "model.safetensors"))
    assert {path.name for path in out.iterdir()} == {"config.json", "model.safetensors"}
    torch.testing.assert_close(
        clsp.load_model(out).encode_speech([CLIP]), clsp.load_model(published).encode_speech([CLIP])
    )


def test_the_unused_bypass_scale_is_kept(tmp_path):
    unused = "encoder.encoders.1.encoder.layers.1.bypass_scale"
    published = clsp_folder(tmp_path / "published", WEIGHTS)
    import_model(published, tmp_path / "imported")
    assert torch.equal(stored(tmp_path / "imported")[unused], WEIGHTS[unused])
    clsp_folder(tmp_path / "without", {name: value for name, value in WEIGHTS.items() if name != unused})
    with pytest.raises(ModelError, match=f"1 missing: {unused}"):
        clsp.load_model(tmp_path / "without")


def test_half_precision_weights_keep_their_bits(tmp_path):
    half = {name: value.bfloat16() for name, value in WEIGHTS.items()}
    import_model(clsp_folder(tmp_path / "published", half), tmp_path / "imported")
    assert_same(stored(tmp_path / "imported"), half)


def test_a_config_without_text_means_roberta_base(tmp_path):
    config = spelled_as_published()
    del config["text"]
    with pytest.raises(ModelError, match="word_embeddings"):
        clsp.load_model(write(tmp_path / "m", {f"model.{name}": value for name, value in WEIGHTS.items()}, config))


def test_an_icefall_checkpoint_brings_its_weights_or_their_average(tmp_path):
    average = weights(1)
    path = icefall_checkpoint(tmp_path / "epoch-3.pt", WEIGHTS, average)
    (tmp_path / "config.json").write_bytes(orjson.dumps(spelled_as_published()))
    assert import_model(path, tmp_path / "latest").kind == "icefall"
    import_model(path, tmp_path / "averaged", ImportOptions(averaged=True))
    assert_same(stored(tmp_path / "latest"), WEIGHTS)
    assert_same(stored(tmp_path / "averaged"), average)


def test_a_checkpoint_without_config_has_the_shape_it_is_given(tmp_path):
    path = icefall_checkpoint(tmp_path / "epoch-3.pt", WEIGHTS, WEIGHTS)
    import_model(path, tmp_path / "out", ImportOptions(shape=SHAPE))
    assert_same(stored(tmp_path / "out"), WEIGHTS)
    with pytest.raises(ModelError, match="of another shape"):
        import_model(path, tmp_path / "wrong", ImportOptions(shape=preset("tiny")))
    assert not (tmp_path / "wrong").exists()


class Harmful:
    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"model": {}, "extra": Harmful()}, "asks for .*print"),
        ({"optimizer": {}}, "no key 'model'"),
        (b"junk", "damaged"),
    ],
)
def test_other_pickles_are_refused_and_never_run(tmp_path, capsys, content, complaint):
    if isinstance(content, bytes):
        (tmp_path / "bad.pt").write_bytes(content)
    else:
        torch.save(content, tmp_path / "bad.pt")
    with pytest.raises(ModelError, match=complaint) as caught:
        import_model(tmp_path / "bad.pt", tmp_path / "out")
    assert "hint" in str(caught.value)
    assert "unpickled" not in capsys.readouterr().out


def test_spear_brings_the_speech_tower_alone(tmp_path):
    spear = spear_folder(tmp_path / "spear", WEIGHTS)
    model = clsp.load_model(spear)
    assert model.config.output_downsampling_factor == 1
    torch.testing.assert_close(model.encode_speech([CLIP]).norm(dim=-1), torch.ones(1))
    torch.testing.assert_close(clsp.load_model(spear).encode_speech([CLIP]), model.encode_speech([CLIP]))
    with pytest.raises(ModelError, match="no text tower"):
        model.encode_tokens(IDS, IDS != 1)


def test_spear_gets_a_plain_mean_where_output_downsampling_is_wanted(tmp_path):
    declared = spear_folder(tmp_path / "declared", WEIGHTS, output_factor=2)
    import_model(declared, tmp_path / "a")
    import_model(spear_folder(tmp_path / "spear", WEIGHTS), tmp_path / "b", ImportOptions(output_factor=2))
    for name in ("a", "b"):
        assert torch.equal(stored(tmp_path / name)["encoder.downsample_output.bias"], torch.zeros(2))
        assert clsp.load_model(tmp_path / name).config.output_downsampling_factor == 2


def test_roberta_brings_the_text_tower_alone(tmp_path):
    model = clsp.load_model(roberta_folder(tmp_path / "roberta", WEIGHTS))
    torch.testing.assert_close(model.encode_tokens(IDS, IDS != 1).norm(dim=-1), torch.ones(2))
    with pytest.raises(ModelError, match="no speech tower"):
        model.encode_speech([CLIP])


def test_spear_and_roberta_make_the_start_of_stage_1(tmp_path):
    spear, roberta = spear_folder(tmp_path / "spear", WEIGHTS), roberta_folder(tmp_path / "roberta", WEIGHTS)
    options = ImportOptions(text=roberta, output_factor=2, seed=3)
    written = import_model(spear, tmp_path / "a", options)
    assert "text_encoder.pooler" in written.untrained
    assert "logit_scale" in written.untrained
    start = stored(tmp_path / "a")
    for name, value in WEIGHTS.items():
        if name.split(".")[0] in ("encoder_embed", "encoder", "text_encoder"):
            kept = "pooler" not in name and "downsample_output" not in name
            assert torch.equal(start[name], value) == kept, name
    import_model(spear, tmp_path / "b", options)
    assert_same(stored(tmp_path / "b"), start)
    assert clsp.load_model(tmp_path / "a").encode_tokens(IDS, IDS != 1).shape == (2, 512)


def test_what_a_tower_lacks_or_has_too_much_is_listed(tmp_path):
    spear = spear_folder(tmp_path / "spear", WEIGHTS)
    changed = load_file(spear / "model.safetensors")
    changed["model.model.codebooks"] = changed.pop("model.model.encoder_embed.out.bias")
    save_file(changed, spear / "model.safetensors")
    with pytest.raises(ModelError, match=r"1 missing: encoder_embed\.out\.bias; 1 unexpected: codebooks"):
        clsp.load_model(spear)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"is_decoder": True}, "is_decoder"), ({"hiden_size": 3}, "hiden_size"), ({"model_type": "bert"}, "model_type")],
)
def test_another_text_tower_is_refused_by_its_field(tmp_path, change, complaint):
    folder = clsp_folder(tmp_path / "m", WEIGHTS)
    config = spelled_as_published()
    (folder / "config.json").write_bytes(orjson.dumps(config | {"text": config["text"] | change}))
    with pytest.raises(ModelError, match=complaint):
        clsp.load_model(folder)


def holding(name, value):
    """A published directory in which one weight is another."""
    return lambda folder: clsp_folder(folder, WEIGHTS | {name: value})


def two_checkpoints(folder):
    folder.mkdir()
    for epoch in (1, 2):
        icefall_checkpoint(folder / f"epoch-{epoch}.pt", WEIGHTS, WEIGHTS)
    return folder


def pickled(folder):
    published = clsp_folder(folder, WEIGHTS)
    (published / "model.safetensors").rename(published / "pytorch_model.bin")
    return published


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (holding("logit_scale", torch.tensor(3)), r"1 no floating-point numbers: logit_scale torch\.int64"),
        (holding("logit_scale", torch.tensor(float("nan"))), "not finite: logit_scale"),
        (two_checkpoints, r"holds 2 checkpoints\n.*epoch-2\.pt"),
        (pickled, r"no model\.safetensors in .*\n.*pickled"),
    ],
    ids=["integers", "not a number", "two checkpoints", "pickled"],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path, make, complaint):
    with pytest.raises(ModelError) as caught:
        import_model(make(tmp_path / "m"), tmp_path / "out")
    assert re.search(complaint, str(caught.value))
    assert not (tmp_path / "out").exists()


def test_checkpoints_of_old_torch_are_read(tmp_path):
    torch.save({"model": WEIGHTS}, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    import_model(tmp_path / "old.pt", tmp_path / "out", ImportOptions(shape=SHAPE))
    assert_same(stored(tmp_path / "out"), WEIGHTS)


def test_a_tokenizer_that_is_named_must_be_there(tmp_path):
    published = clsp_folder(tmp_path / "published", WEIGHTS)
    with pytest.raises(ModelError, match="there is no tokenizer in"):
        import_model(published, tmp_path / "out", ImportOptions(tokenizer=published))


def test_a_configuration_cannot_ask_for_code_from_a_hub(tmp_path):
    folder = clsp_folder(tmp_path / "m", WEIGHTS)
    config = spelled_as_published()
    text = config["text"] | {"attn_implementation": "somebody/kernel", "_attn_implementation": "somebody/kernel"}
    (folder / "config.json").write_bytes(orjson.dumps(config | {"text": text}))
    assert clsp.load_model(folder).encode_tokens(IDS, IDS != 1).shape == (2, 24)


def test_an_import_never_overwrites(tmp_path):
    published = clsp_folder(tmp_path / "published", WEIGHTS)
    with pytest.raises(ModelError, match="exists"):
        import_model(published, published)
    with pytest.raises(ModelError, match="there is no"):
        import_model(tmp_path / "nothing", tmp_path / "out")


def test_an_interrupted_import_leaves_nothing(tmp_path, monkeypatch):
    published = clsp_folder(tmp_path / "published", WEIGHTS)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("clsp.model.importing.copy_tokenizer", full)
    with pytest.raises(OSError, match="space"):
        import_model(published, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["published"]

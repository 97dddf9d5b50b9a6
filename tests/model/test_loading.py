"""Loading: every kind of source gives the same vectors, and what does not fit is named."""

import shutil

import numpy as np
import orjson
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

import clsp
from clsp.errors import ClspError, DataError, ModelError
from clsp.model.waveforms import at_model_rate
from clsp.registry import move_alias, publish
from clsp.storage import open_store
from tests.tiny_model import TEXTS, tone, write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def model(folder):
    return clsp.load_model(folder)


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


CLIPS = [torch.from_numpy(tone(seconds, hertz)) for seconds, hertz in ((1.0, 200), (2.5, 300), (0.2, 150), (4.0, 90))]


def test_vectors_are_plain_unit_float32(model):
    for vectors in (model.encode_speech(CLIPS), model.encode_text(TEXTS)):
        assert vectors.dtype == torch.float32
        assert not vectors.requires_grad
        assert not vectors.is_inference()
        torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(len(vectors)))


def test_a_clip_has_one_vector_alone_and_in_any_batch(model):
    together = model.encode_speech(CLIPS)
    padded = torch.nn.utils.rnn.pad_sequence(CLIPS, batch_first=True, padding_value=7.0)
    lengths = torch.tensor([len(clip) for clip in CLIPS])
    torch.testing.assert_close(model.encode_speech(padded, lengths), together, atol=1e-4, rtol=0)
    alone = torch.cat([model.encode_speech([clip]) for clip in CLIPS])
    torch.testing.assert_close(alone, together, atol=1e-4, rtol=0)


def test_small_budgets_split_the_batch_and_keep_order(folder):
    from clsp.config import ServeSettings
    from clsp.model.loading import load_for_serving

    small = load_for_serving(folder, "cpu", "float32", ServeSettings(batch_seconds=2.6, batch_tokens=8))
    large = clsp.load_model(folder)
    torch.testing.assert_close(small.encode_speech(CLIPS), large.encode_speech(CLIPS), atol=1e-4, rtol=0)
    torch.testing.assert_close(small.encode_text(TEXTS), large.encode_text(TEXTS), atol=1e-4, rtol=0)


def test_tokens_give_the_vectors_of_their_texts(model, folder):
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    tokens = tokenizer(TEXTS, padding=True, return_tensors="pt")
    torch.testing.assert_close(
        model.encode_tokens(tokens["input_ids"], tokens["attention_mask"]), model.encode_text(TEXTS), atol=1e-5, rtol=0
    )


def test_texts_beyond_the_limit_are_cut(model):
    assert len(model.token_ids(["slowly " * 500])[0]) == 64
    assert model.encode_text(["slowly " * 500]).shape == (1, model.dimension)


def test_other_rates_are_resampled(model):
    at_16k, at_48k = tone(1.5), tone(1.5, rate=48_000)
    cosine = (model.encode_speech([at_48k], sampling_rate=48_000) @ model.encode_speech([at_16k]).T).item()
    assert cosine > 0.999


def test_features_have_the_fbanks_shape(model):
    features, counts = model.features(CLIPS)
    assert features.shape == (4, 400, 128)
    assert counts.tolist() == [100, 250, 20, 400]


def test_nothing_in_gives_no_rows(model):
    assert model.encode_speech([]).shape == (0, model.dimension)
    assert model.encode_text([]).shape == (0, model.dimension)
    assert model.encode_tokens(torch.zeros(0, 3, dtype=torch.long), torch.zeros(0, 3)).shape == (0, model.dimension)


@pytest.mark.parametrize(
    "clip",
    [
        torch.zeros(100),
        torch.zeros(16_000, dtype=torch.int16),
        torch.full((16_000,), float("nan")),
        torch.zeros(2, 16_000),
        torch.zeros(0),
        torch.full((16_000,), float("-inf")),
        3_000 * torch.sin(torch.arange(16_000.0)),
    ],
    ids=["short", "integers", "nan", "stereo", "empty", "infinite", "loud as int16"],
)
def test_clips_that_cannot_be_embedded_are_refused(model, clip):
    with pytest.raises(DataError, match="hint"):
        model.encode_speech([clip])


@pytest.mark.parametrize("rate", [0, -16_000, 16_000.5, 1, 10**9, "16k", None, float("nan")])
def test_rates_that_are_none_are_refused(model, rate):
    with pytest.raises(DataError, match="sampling rate"):
        model.encode_speech([CLIPS[0]], sampling_rate=rate)


@pytest.mark.parametrize(
    ("waveforms", "complaint"),
    [("a.wav", "clip 0 holds no numbers"), (None, "waveforms are a NoneType"), ([["a"]], "clip 0 holds no numbers")],
)
def test_what_is_no_sound_is_explained(model, waveforms, complaint):
    with pytest.raises(DataError, match=complaint):
        model.encode_speech(waveforms)


def test_arrays_of_any_layout_are_the_same_clip(model):
    samples = tone(1.0)
    stored = np.frombuffer(samples.tobytes(), np.float32)  # read-only, as from a file
    layouts = [samples[::-1][::-1], samples.astype(">f4"), samples.astype(np.float64), stored, samples.tolist()]
    vectors = model.encode_speech(layouts)
    torch.testing.assert_close(vectors, model.encode_speech([samples]).expand_as(vectors), atol=1e-6, rtol=0)


@pytest.mark.parametrize("text", [None, 3, ("a", "b"), "\ud800"])
def test_what_is_no_text_is_explained(model, text):
    with pytest.raises(DataError, match="text 1 is no string"):
        model.encode_text(["calm", text])


def test_one_bare_clip_is_explained(model):
    with pytest.raises(DataError, match="into a list"):
        model.encode_speech(CLIPS[0])


@pytest.mark.parametrize("rate", [44_100, 22_050, 8_000])
def test_what_the_model_cannot_hear_does_not_reach_it(model, rate):
    """A tone above 8 kHz must vanish, not come back as one below it; one below keeps its vector at any rate."""
    if rate > 32_000:
        high = torch.from_numpy(tone(1.0, 12_000, rate))
        (heard,) = at_model_rate([high], rate)
        assert heard[1_000:-1_000].abs().max() < 1e-3 * high.abs().max()
    audible, wanted = tone(1.5, 300, rate), tone(1.5, 300)
    assert (model.encode_speech([audible], sampling_rate=rate) @ model.encode_speech([wanted]).T).item() > 0.99


@pytest.mark.parametrize("clip", [torch.zeros(16_000), torch.from_numpy(tone(0.25)), torch.from_numpy(tone(30.0))])
def test_silence_and_extreme_lengths_have_vectors(model, clip):
    assert model.encode_speech([clip]).norm().item() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("ids", "mask", "complaint"),
    [
        ([[0, 5, 2]], [[1, 1]], "both be"),
        ([[1, 0, 2]], [[0, 1, 1]], "begins with padding"),
        ([[0, 320, 2]], [[1, 1, 1]], "not below 320"),
        ([[0, -1, 2]], [[1, 1, 1]], "not below 320"),
        ([[0] * 65], [[1] * 65], "more than 64 tokens"),
    ],
)
def test_tokens_that_do_not_fit_are_refused(model, ids, mask, complaint):
    with pytest.raises(DataError, match=complaint):
        model.encode_tokens(torch.tensor(ids), torch.tensor(mask))


@pytest.mark.parametrize("ids", [[[0, 5, 2]], np.array([[0, 5, 2]]), torch.tensor([[0, 5.0, 2]])])
def test_tokens_are_tensors_of_integers(model, ids):
    with pytest.raises(DataError, match="tensors of integers"):
        model.encode_tokens(ids, torch.ones(1, 3))


def test_lengths_must_fit(model):
    with pytest.raises(DataError, match="lengths"):
        model.encode_speech(torch.zeros(2, 16_000), torch.tensor([16_000, 16_001]))


def test_half_precision_gives_nearby_unit_float32(folder, model):
    half = clsp.load_model(folder, dtype="bfloat16").encode_speech(CLIPS)
    assert half.dtype == torch.float32
    assert (half * model.encode_speech(CLIPS)).sum(dim=-1).min() > 0.99
    torch.testing.assert_close(half.norm(dim=-1), torch.ones(4))


def test_an_icefall_checkpoint_is_the_same_model(folder, model, tmp_path):
    weights = {name.removeprefix("model."): value for name, value in load_file(folder / "model.safetensors").items()}
    path = tmp_path / "epoch-1.pt"
    torch.save({"model": weights, "batch_idx_train": 7, "optimizer": {}}, path)
    shutil.copy(folder / "config.json", tmp_path)
    loaded = clsp.load_model(path)
    torch.testing.assert_close(loaded.encode_speech(CLIPS), model.encode_speech(CLIPS))
    with pytest.raises(ModelError, match=r"tokenizer"):
        loaded.encode_text(["no tokenizer beside it"])


class _Harmful:
    def __reduce__(self):
        return (print, ("unpickled",))


def test_nothing_is_unpickled(tmp_path, folder, capsys):
    torch.save({"model": {}, "extra": _Harmful()}, tmp_path / "bad.pt")
    shutil.copy(folder / "config.json", tmp_path)
    with pytest.raises(ModelError, match=r"bad\.pt"):
        clsp.load_model(tmp_path / "bad.pt")
    assert "unpickled" not in capsys.readouterr().out


def test_position_ids_are_tolerated(copy, model):
    weights = load_file(copy / "model.safetensors")
    weights["model.text_encoder.embeddings.position_ids"] = torch.arange(66)[None]
    save_file(weights, copy / "model.safetensors")
    torch.testing.assert_close(clsp.load_model(copy).encode_text(TEXTS), model.encode_text(TEXTS))


def test_every_name_that_does_not_fit_is_listed(copy):
    weights = load_file(copy / "model.safetensors")
    weights["model.logit_scale_old"] = weights.pop("model.logit_scale")
    weights["model.audio_projection.0.bias"] = torch.zeros(3)
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(ModelError) as caught:
        clsp.load_model(copy)
    message = str(caught.value)
    for part in (
        "1 missing: logit_scale;",
        "1 unexpected: logit_scale_old",
        "audio_projection.0.bias (3,), not (",
        "hint",
    ):
        assert part in message


def test_a_wrong_configuration_is_explained(copy):
    values = orjson.loads((copy / "config.json").read_bytes())
    (copy / "config.json").write_bytes(orjson.dumps({**values, "num_heads": [1], "surprise": 1}))
    with pytest.raises(ModelError, match="surprise"):
        clsp.load_model(copy)
    (copy / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json"):
        clsp.load_model(copy)


def test_a_damaged_tokenizer_is_explained(copy):
    (copy / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="tokenizer"):
        clsp.load_model(copy)


@pytest.mark.parametrize("place", ["nowhere", "file:///nowhere/models/clsp@latest", "nowhere/models/clsp/abc"])
def test_a_missing_model_is_explained_and_nothing_is_made(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="there is no model at"):
        clsp.load_model(place)
    assert not list(tmp_path.iterdir())


def test_wrong_device_and_dtype_are_explained(folder):
    with pytest.raises(ModelError, match="dtype"):
        clsp.load_model(folder, dtype="int4")
    with pytest.raises(ModelError, match="device"):
        clsp.load_model(folder, device="cuda:99")


def test_registered_versions_load_by_uri_and_alias(folder, model, tmp_path):
    store = open_store(f"file://{tmp_path}/store")
    version = publish(store, "clsp", folder, licences={"cc0": 1}, manifests={"model": "m"})
    assert move_alias(store, "clsp", "latest", version.version, expected=None)
    wanted = model.encode_text(TEXTS)
    for place in (version.uri, f"{store.uri}/models/clsp@latest", f"{tmp_path}/store/models/clsp/latest"):
        loaded = clsp.load_model(place)
        assert (loaded.identity.name, loaded.identity.sha256) == ("clsp", version.sha256)
        np.testing.assert_array_equal(loaded.encode_text(TEXTS), wanted)


def test_an_altered_version_is_refused(folder, tmp_path):
    store = open_store(f"file://{tmp_path}/store")
    version = publish(store, "clsp", folder, licences={}, manifests={})
    weights = tmp_path / "store/models/clsp" / version.version / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    with pytest.raises(ClspError, match=r"model\.safetensors"):
        clsp.load_model(version.uri)

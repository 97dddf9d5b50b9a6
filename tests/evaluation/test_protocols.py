"""The protocols with an encoder whose ears and words are known: tones by pitch, prompts by the tone they name."""

import numpy as np
import orjson
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from clsp.config import EvaluationSettings
from clsp.errors import ConfigError, DataError
from clsp.evaluation.files import embed_files
from clsp.evaluation.protocols import evaluate_retrieval, evaluate_similarity, evaluate_zero_shot
from clsp.evaluation.tables import read_pairs, read_ratings
from clsp.evaluation.written import write_result
from clsp.evaluation.zero_shot import BENCHMARKS, benchmark
from pipelines.cli import app
from tests.evaluation import corpora_on_disk
from tests.tiny_model import tone, write_tiny_model

SETTINGS = EvaluationSettings(resamples=100, control_shuffles=40)
PITCHES = sorted(corpora_on_disk.HERTZ.values())
WORDS = {**corpora_on_disk.HERTZ, "excited": corpora_on_disk.HERTZ["happy"]}


class PitchEncoder:
    """Hears the strongest frequency and reads the emotion a text names, as one axis a pitch."""

    def encode_speech(self, waveforms):
        heard = [float(torch.fft.rfft(wave).abs().argmax()) * 16_000 / len(wave) for wave in waveforms]
        return torch.stack([self._axis(hertz) for hertz in heard])

    def encode_text(self, texts):
        named = [next((word for word in WORDS if word in text), "neutral") for text in texts]
        return torch.stack([self._axis(WORDS[word]) for word in named])

    def _axis(self, hertz):
        nearest = min(range(len(PITCHES)), key=lambda index: abs(PITCHES[index] - hertz))
        return torch.eye(len(PITCHES))[nearest]


@pytest.mark.parametrize(
    ("name", "corpus"),
    [
        ("ravdess-emotion", corpora_on_disk.ravdess),
        ("crema-d-emotion", corpora_on_disk.crema_d),
        ("iemocap-emotion", corpora_on_disk.iemocap),
    ],
)
def test_an_encoder_that_hears_the_class_names_every_clip(name, corpus, tmp_path):
    result = evaluate_zero_shot(PitchEncoder(), benchmark(name), corpus(tmp_path), SETTINGS)
    assert result["wa"]["value"] == result["uar"]["value"] == 1
    assert all(counts[truth] == sum(counts.values()) for truth, counts in result["confusion"].items())


@pytest.mark.parametrize(
    ("name", "corpus", "chance"),
    [("ravdess-gender", corpora_on_disk.ravdess, 1 / 2), ("crema-d-age", corpora_on_disk.crema_d, 1 / 4)],
)
def test_an_encoder_deaf_to_the_class_is_at_chance(name, corpus, chance, tmp_path):
    result = evaluate_zero_shot(PitchEncoder(), benchmark(name), corpus(tmp_path), SETTINGS)
    assert result["chance"] == chance
    assert result["uar"]["value"] <= 0.5


def test_prompts_are_the_published_ones():
    assert BENCHMARKS["iemocap-emotion"].prompts["A speaker in a excited tone."] == "happy"
    assert len(BENCHMARKS["iemocap-emotion"].prompts) == 5
    assert len(BENCHMARKS["ravdess-emotion"].prompts) == 8
    assert len(BENCHMARKS["crema-d-emotion"].prompts) == 6
    assert tuple(BENCHMARKS["ravdess-gender"].prompts) == ("A male speaker.", "A female speaker.")


def test_an_unknown_benchmark_lists_the_known_ones():
    with pytest.raises(ConfigError, match="nothing") as caught:
        benchmark("nothing")
    assert "ravdess-emotion" in caught.value.hint


@pytest.fixture
def recordings(tmp_path):
    for emotion, hertz in corpora_on_disk.HERTZ.items():
        soundfile.write(tmp_path / f"{emotion}.wav", tone(0.4, hertz, 44_100), 44_100)
    return tmp_path


def test_retrieval_over_a_table_of_pairs(recordings):
    lines = ["audio,fine,global"] + [
        f"{word}.wav,a {word} voice,{'' if word == 'sad' else word}" for word in PITCHES_BY
    ]
    table = recordings / "pairs.csv"
    table.write_text("\n".join(lines))
    result = evaluate_retrieval(PitchEncoder(), read_pairs(table), SETTINGS)
    assert result["retrieval"]["fine"]["speech_to_text"]["r1"] == 1
    assert (
        result["retrieval"]["fine"]["speech_to_text"]["n"],
        result["retrieval"]["global"]["text_to_speech"]["n"],
    ) == (8, 7)
    assert result["control"]["fine"]["speech_to_text"]["r1"] < 0.3


PITCHES_BY = list(corpora_on_disk.HERTZ)


def test_ratings_that_follow_the_match_correlate_and_raters_are_averaged(recordings):
    rows = []
    for index, word in enumerate(PITCHES_BY):
        other = PITCHES_BY[(index + 1) % len(PITCHES_BY)]
        rows += [f"{word}.wav,a {word} voice,4.{index},both", f"{word}.wav,a {word} voice,5,both"]
        rows += [f"{word}.wav,a {other} voice,0.{index},both"]
    table = recordings / "ratings.csv"
    table.write_text("\n".join(["audio,caption,rating,category", *rows]))
    rated = read_ratings(table)
    assert len(rated) == 2 * len(PITCHES_BY)
    assert rated[0].rating == pytest.approx(4.5)
    result = evaluate_similarity(PitchEncoder(), rated, SETTINGS)
    assert result["categories"]["both"]["pearson"]["value"] > 0.95
    assert result["categories"]["both"]["spearman"]["low"] > 0.5


def test_a_table_without_its_columns_is_refused(recordings):
    (recordings / "ratings.csv").write_text("audio,caption\na.wav,hello\n")
    with pytest.raises(DataError, match="rating"):
        read_ratings(recordings / "ratings.csv")
    with pytest.raises(DataError, match="cannot read"):
        read_pairs(recordings / "missing.csv")


@pytest.mark.parametrize("rating", ["good", "", "nan"])
def test_a_rating_that_is_no_number_is_said(tmp_path, rating):
    (tmp_path / "ratings.csv").write_text(f"audio,caption,rating\na.wav,calm,{rating}\nb.wav,calm,{rating}\n")
    with pytest.raises(DataError, match=r"the rating of .*a\.wav is"):
        read_ratings(tmp_path / "ratings.csv")


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(100), None], ids=["empty", "short", "no sound"])
def test_a_recording_that_cannot_be_scored_is_named(tmp_path, samples):
    if samples is None:
        (tmp_path / "bad.wav").write_bytes(b"junk")
    else:
        soundfile.write(tmp_path / "bad.wav", samples, 16_000)
    with pytest.raises(DataError, match=r"bad\.wav") as caught:
        embed_files(PitchEncoder(), [tmp_path / "bad.wav"], 4)
    assert caught.value.hint


def test_the_documents_escape_what_they_show(tmp_path):
    result = evaluate_zero_shot(
        PitchEncoder(), benchmark("ravdess-emotion"), corpora_on_disk.ravdess(tmp_path), SETTINGS
    )
    files = {path.suffix: path.read_text() for path in write_result(tmp_path / "out", "<b>RAVDESS</b>", result)}
    assert orjson.loads(files[".json"]) == result
    assert "| WA | 100.0 |" in files[".md"]
    assert "<b>" not in files[".html"]
    assert "&lt;b&gt;RAVDESS" in files[".html"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(write_tiny_model(tmp_path_factory.mktemp("model")))


def test_the_command_scores_a_model_directory(model, tmp_path):
    arguments = ["evaluate", "zero-shot", model, str(corpora_on_disk.ravdess(tmp_path / "corpus"))]
    out = tmp_path / "out"
    ran = CliRunner().invoke(app, [*arguments, "--benchmark", "ravdess-gender", "--out", str(out), "--json"])
    assert ran.exit_code == 0, ran.output
    assert {path.name for path in out.iterdir()} == {"evaluation.json", "evaluation.md", "evaluation.html"}
    assert orjson.loads((out / "evaluation.json").read_bytes())["clips"] == 16


def test_the_test_split_is_refused_for_choosing(model, tmp_path):
    arguments = ["evaluate", "select", model, "--store", str(tmp_path), "--examples", "x", "--split", "test"]
    ran = CliRunner().invoke(app, arguments)
    assert isinstance(ran.exception, ConfigError)
    assert "dev" in ran.exception.hint

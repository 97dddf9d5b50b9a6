"""Averages over an interval, against the plain mean of the weights that the interval saw."""

import orjson
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close
from typer.testing import CliRunner

from clsp.errors import ClspError, ModelError
from clsp.model import DualEncoder, preset
from clsp.model.directory import save_model
from clsp.registry.versions import publish
from clsp.storage import open_store
from clsp.training.average import RunningAverage
from clsp.training.averaging import RunningMean, interval_mean, read_running_mean
from clsp.training.checkpoints import Checkpoint, Checkpoints
from pipelines.cli import app
from tests.model.foreign_models import SHAPE, icefall_checkpoint, weights
from tests.training.nano import nano_config


def mean_of(trajectory: list[torch.Tensor], period: int, batches: int) -> RunningMean:
    """icefall's own update, step by step."""
    average = trajectory[0].double()
    for n in range(2 * period, batches + 1, period):
        average = trajectory[n // period - 1].double() * (period / n) + average * (1 - period / n)
    return RunningMean(str(batches), batches, {"w": average})


@settings(max_examples=50)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 7), st.integers(0, 2**31))
def test_an_interval_is_the_mean_of_what_it_saw(first, more, period, seed):
    generator = torch.Generator().manual_seed(seed)
    trajectory = [torch.randn(4, generator=generator) for _ in range(first + more)]
    ends = [mean_of(trajectory, period, count * period) for count in (first + more, first)]
    mean = interval_mean(ends)
    assert mean.batches == more * period
    expected = torch.stack(trajectory[first:]).double().mean(0)
    assert_close(mean.weights["w"], expected, rtol=1e-9, atol=1e-9)


def test_icefall_counts_are_rounded_down_to_whole_periods(tmp_path):
    start = icefall_checkpoint(tmp_path / "a.pt", weights(), weights(1), batches=450)
    end = icefall_checkpoint(tmp_path / "b.pt", weights(), weights(2), batches=1_099)
    mean = interval_mean([read_running_mean(str(end)), read_running_mean(str(start))])
    assert mean.batches == 1_000 - 400
    name = "encoder_embed.out.bias"
    expected = (weights(2)[name].double() * 1_000 - weights(1)[name].double() * 400) / 600
    assert_close(mean.weights[name], expected, rtol=1e-12, atol=1e-12)
    with pytest.raises(ModelError, match="no batch yet"):
        read_running_mean(str(start), 500)
    with pytest.raises(ModelError, match="further apart"):
        interval_mean([read_running_mean(str(start))] * 2)


def test_what_holds_no_average_is_refused(tmp_path):
    torch.save({"model": weights(), "batch_idx_train": 400}, tmp_path / "plain.pt")
    with pytest.raises(ModelError, match="no running average"):
        read_running_mean(str(tmp_path / "plain.pt"))
    for place in ("somewhere", f"{tmp_path}/checkpoints/run@last"):
        with pytest.raises(ModelError, match="names no checkpoint"):
            read_running_mean(place)
    with pytest.raises(ClspError):
        read_running_mean(f"{tmp_path}/checkpoints/stage1/run@3")


def test_other_models_do_not_mix():
    with pytest.raises(ModelError, match="other models"):
        interval_mean([RunningMean("a", 1, {"w": torch.zeros(2)}), RunningMean("b", 2, {"w": torch.zeros(3)})])


def moved(model: nn.Module, seed: int) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return {name: value.double().clone() for name, value in model.state_dict().items()}


def test_a_run_of_ours_is_averaged_from_its_store(tmp_path):
    model = DualEncoder(nano_config(60)).eval()
    checkpoints = Checkpoints(open_store(str(tmp_path / "store")), "checkpoints/stage1/abc", keep=5)
    average, seen = RunningAverage(2), {}
    for done in range(1, 9):
        seen[done] = moved(model, done)
        average.update(model, done)
        if done in (4, 8):
            checkpoints.save(average.added_to(Checkpoint(done, {}, {})))
    save_model(tmp_path / "model", model, model.config)
    run = f"{tmp_path}/store/checkpoints/stage1/abc"
    arguments = ["average", f"{run}@4", run, "--model", tmp_path / "model", "--out", tmp_path / "out", "--json"]
    result = CliRunner().invoke(app, [str(part) for part in arguments], catch_exceptions=False)
    assert orjson.loads(result.output)["batches"] == 4
    for name, value in load_file(tmp_path / "out" / "model.safetensors").items():
        expected = (seen[6][name.removeprefix("model.")] + seen[8][name.removeprefix("model.")]) / 2
        assert_close(value, expected.float(), rtol=1e-6, atol=1e-7)


def test_the_shape_is_a_registered_version_s_or_a_preset_s_with_the_words_of_the_run(tmp_path):
    model = DualEncoder(preset("tiny").with_text(vocab_size=320)).eval()
    store = open_store(str(tmp_path / "store"))
    average = RunningAverage(2)
    moved(model, 1)
    average.update(model, 2)
    Checkpoints(store, "checkpoints/stage1/abc", keep=5).save(average.added_to(Checkpoint(2, {}, {})))
    save_model(tmp_path / "model", model, model.config)
    version = publish(store, "clsp", tmp_path / "model", licences={}, manifests={}).version
    for number, shape in enumerate((["--preset", "tiny"], ["--model", f"{tmp_path}/store/models/clsp/{version}"])):
        arguments = ["average", f"{tmp_path}/store/checkpoints/stage1/abc@2", *shape, "--out", f"{tmp_path}/{number}"]
        CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert_close(
            load_file(f"{tmp_path}/{number}/model.safetensors"), load_file(tmp_path / "model/model.safetensors")
        )


def test_icefall_epochs_become_a_model_directory(tmp_path):
    places = [
        icefall_checkpoint(tmp_path / f"epoch-{epoch}.pt", weights(), weights(epoch), batches=200 * epoch)
        for epoch in (1, 3)
    ]
    save_model(tmp_path / "model", DualEncoder(SHAPE), SHAPE)
    arguments = ["average", *places, "--model", tmp_path / "model", "--out", tmp_path / "out"]
    said = CliRunner().invoke(app, [str(part) for part in arguments], catch_exceptions=False).output
    assert "mean over 400 batches" in said
    stored = load_file(tmp_path / "out" / "model.safetensors")["model.logit_scale"]
    expected = (3 * weights(3)["logit_scale"].double() - weights(1)["logit_scale"].double()) / 2
    assert_close(stored, expected.float())

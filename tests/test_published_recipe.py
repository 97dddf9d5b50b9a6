"""The published recipe is the reference's table (reference 1.5, 1.7, 1.9), and the commands take it."""

import orjson
import pytest
import torch
from typer.testing import CliRunner

from clsp.config import load_config
from clsp.model import preset
from clsp.optim import Eden, ScaledAdam
from clsp.training import task_probability
from pipelines.cli import app
from pipelines.runs import remote_arguments

GPUS, SECONDS_A_GPU, REFERENCE_SECONDS = 8, 800, 600
TRAIN = load_config("published").train
COMMON = {"clipping_scale": 2.0, "lr_batches": 100_000, "lr_epochs": 100, "warmup_batches": 500, "warmup_start": 0.5}


def test_the_model_and_its_processes():
    config = preset(TRAIN.preset)
    assert config.encoder_dim == (1280,) * 7
    assert config.num_encoder_layers == (1, 2, 3, 4, 1, 1, 1)
    assert (TRAIN.processes, TRAIN.backend) == (GPUS, "nccl")
    assert (TRAIN.checkpoint.every, TRAIN.checkpoint.average_every) == (4000, 200)


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_what_both_stages_share(stage):
    settings = getattr(TRAIN, stage)
    assert settings.precision == "bfloat16"
    assert settings.machinery == "published"
    assert settings.seed == 42
    assert settings.log_every == 50
    assert settings.counter_start == 100_000
    assert settings.counter_per_step == pytest.approx(GPUS * SECONDS_A_GPU / REFERENCE_SECONDS)
    assert settings.freeze == ()
    assert not settings.spare_duplicates
    assert settings.batch.global_seconds == GPUS * SECONDS_A_GPU
    assert settings.batch.micro_batches == GPUS
    assert settings.batch.buckets == 30
    assert {name: getattr(settings.optimiser, name) for name in COMMON} == COMMON


def test_stage_1():
    stage = TRAIN.stage1
    assert stage.steps == 1_200_000
    assert (stage.batch.min_seconds, stage.batch.max_seconds) == (4, 30)
    assert stage.optimiser.base_lr == 0.045
    assert stage.optimiser.module_scales == dict.fromkeys(("encoder_embed", "encoder", "text_encoder"), 0.02222)


def test_stage_2_and_its_task_schedule():
    stage = TRAIN.stage2
    assert stage.steps == 4_000
    assert (stage.batch.min_seconds, stage.batch.max_seconds) == (2, 30)
    assert (stage.optimiser.base_lr, stage.optimiser.encoder_lr_scale) == (0.001, 1.0)
    assert stage.weight == 0.5
    last = task_probability(stage.steps, stage.task_start, stage.task_end, stage.task_steps)
    assert last == pytest.approx(0.77)


def test_its_learning_rate_falls_as_published():
    settings = TRAIN.stage1.optimiser
    optimiser = ScaledAdam([torch.nn.Parameter(torch.ones(2))], lr=settings.base_lr)
    eden = Eden(optimiser, settings.lr_batches, settings.lr_epochs, settings.warmup_batches, settings.warmup_start)
    eden.step_epoch(45)
    eden.step_batch(TRAIN.stage1.steps)
    assert eden.last_lrs()[0] == pytest.approx(0.01238367, rel=1e-6)  # reference 3.8


def test_plan_takes_it():
    answer = CliRunner().invoke(app, ["plan", "--hours", "47000", "--config", "published", "--json"])
    assert answer.exit_code == 0, answer.output
    assert orjson.loads(answer.stdout)["gpu_days"] > 0


def test_a_flow_takes_it():
    values = {"source": "s3://speech/raw", "metadata": ""}
    arguments = remote_arguments("full", "s3://speech/team", "r", load_config("published"), values)
    assert orjson.loads(arguments["train_settings"])["preset"] == "clsp-xlarge"

"""A budget of minutes stretches both stages and their schedules."""

import pytest

from clsp.config import TrainSettings, load_config
from clsp.errors import ConfigError
from clsp.training.budget import scale_to_minutes


def test_ten_times_the_minutes_are_ten_times_the_steps():
    preset = load_config("demo").train
    longer = scale_to_minutes(preset, 10 * preset.minutes)
    assert longer.stage1.steps == 10 * preset.stage1.steps
    assert longer.stage2.steps == 10 * preset.stage2.steps
    assert longer.stage2.task_steps == 10 * preset.stage2.task_steps
    assert longer.stage1.optimiser.lr_batches == 10 * preset.stage1.optimiser.lr_batches
    assert longer.stage1.optimiser.warmup_batches == preset.stage1.optimiser.warmup_batches


def test_its_own_minutes_change_nothing():
    preset = load_config("demo").train
    assert scale_to_minutes(preset, preset.minutes) == preset


def test_a_preset_without_measured_minutes_cannot_be_scaled():
    with pytest.raises(ConfigError, match="cannot be scaled"):
        scale_to_minutes(TrainSettings(), 20)

"""Steps for a budget of minutes: a preset knows what its steps take, and a longer run stretches its schedule alike."""

from clsp.config import StageSettings, TrainSettings
from clsp.errors import ConfigError


def scale_to_minutes(settings: TrainSettings, minutes: float) -> TrainSettings:
    """Settings whose two stages together take about ``minutes`` where the preset's take ``settings.minutes``.

    Steps, learning-rate decay and task schedule stretch by one factor; warm-up does not.
    """
    if settings.minutes <= 0 or minutes <= 0:
        raise ConfigError(
            "training cannot be scaled to minutes", hint="set train.minutes to what the preset takes, or set steps"
        )
    factor = minutes / settings.minutes
    stages = {name: _stretched(getattr(settings, name), factor) for name in ("stage1", "stage2")}
    return settings.model_copy(update={**stages, "minutes": minutes})


def _stretched(stage: StageSettings, factor: float) -> StageSettings:
    decay = {name: getattr(stage.optimiser, name) * factor for name in ("lr_batches", "lr_epochs")}
    return stage.model_copy(
        update={
            "steps": max(1, round(stage.steps * factor)),
            "task_steps": max(1, round(stage.task_steps * factor)),
            "optimiser": stage.optimiser.model_copy(update=decay),
        }
    )

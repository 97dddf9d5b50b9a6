"""Recurring runs as an operator declares them: what runs when, and whether it is paused."""

import re
from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from clsp.config.base import Section

_CRON_FIELD = re.compile(r"^[\dA-Za-z*/,?#-]+$")


class Schedule(Section):
    """One recurring run. Every run of it gets the name that KFP gives it."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", description="Name, unique among its owner's")
    flow: str = Field(description="full, data, training or release")
    cron: str = Field(description="Six fields from seconds to weekday, in UTC; five are taken to start at second 0")
    data: str = Field("", description="Folder or store prefix of recordings")
    metadata: str = Field("", description="Table with a row a recording")
    examples: str = Field("", description="Manifest of training examples (training, release)")
    stage2: str = Field("", description="Manifest of the trained model (release)")
    evaluation: str = Field("", description="Manifest of the evaluation (release)")
    paused: bool = Field(False, description="Keep it, but start no run")
    max_concurrency: int = Field(1, ge=1, le=10, description="Runs of it at once")
    catchup: bool = Field(False, description="Make up for every time that was missed while paused or down")
    alert_hours: float = Field(0.0, ge=0, description="Hours without a new run that raise the alarm; 0 never does")
    settings: dict[str, Any] = Field({}, description="Changes by section of the configuration")

    @field_validator("cron")
    @classmethod
    def _six_fields(cls, value: str) -> str:
        fields = value.split()
        if len(fields) not in {5, 6} or not all(_CRON_FIELD.match(field) for field in fields):
            raise ValueError(f"{value!r} is no cron of six fields, such as '0 0 2 * * *' for two o'clock every night")
        return " ".join(["0", *fields][-6:])


class Schedules(Section):
    """All recurring runs of one owner; those that it owns in KFP and that are not here are deleted."""

    owner: str = Field("clsp", pattern=r"^[^;\s]+$", description="Whose they are; another owner's are never touched")
    schedules: tuple[Schedule, ...] = ()

    @model_validator(mode="after")
    def _unique(self) -> Self:
        names = [schedule.name for schedule in self.schedules]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"declared twice: {', '.join(twice)}")
        return self

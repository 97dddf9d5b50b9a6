"""The configuration: one frozen, validated object, read from YAML; an unknown key is an error.

Every number an operator may tune has its one place in a section module of this package, with its default and what it
means. Presets are YAML files in ``presets/`` that change only what they name.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml
from pydantic import ValidationError, model_validator

from clsp.config.base import Section
from clsp.config.captions import AnnotateSettings, EndpointSettings, RuleSettings, SamplingSettings, VerifySettings
from clsp.config.cluster import ClusterSettings, Pool
from clsp.config.demo import DemoSettings
from clsp.config.evaluation import EvaluationSettings, RegisterSettings
from clsp.config.features import FeatureSettings
from clsp.config.ingest import IngestSettings
from clsp.config.kfp import KfpSettings
from clsp.config.plan import PlanSettings
from clsp.config.quality import QualitySettings
from clsp.config.serving import ServeSettings
from clsp.config.training import (
    BatchSettings,
    CheckpointSettings,
    InitialSettings,
    LoaderSettings,
    MemorySettings,
    OptimiserSettings,
    StageSettings,
    TrainSettings,
)
from clsp.errors import ConfigError

__all__ = [
    "AnnotateSettings",
    "BatchSettings",
    "CheckpointSettings",
    "ClusterSettings",
    "Config",
    "DemoSettings",
    "EndpointSettings",
    "EvaluationSettings",
    "FeatureSettings",
    "IngestSettings",
    "InitialSettings",
    "KfpSettings",
    "LoaderSettings",
    "MemorySettings",
    "OptimiserSettings",
    "PlanSettings",
    "Pool",
    "QualitySettings",
    "RegisterSettings",
    "SamplingSettings",
    "Section",
    "ServeSettings",
    "StageSettings",
    "TrainSettings",
    "VerifySettings",
    "load_config",
    "parse_settings",
]


S = TypeVar("S", bound=Section)


class Config(Section):
    """Settings of the whole flow, a section a step."""

    ingest: IngestSettings = IngestSettings()
    annotate: AnnotateSettings = AnnotateSettings()
    verify: VerifySettings = VerifySettings()
    quality: QualitySettings = QualitySettings()
    features: FeatureSettings = FeatureSettings()
    train: TrainSettings = TrainSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    register_model: RegisterSettings = RegisterSettings()
    serve: ServeSettings = ServeSettings()
    cluster: ClusterSettings = ClusterSettings()
    kfp: KfpSettings = KfpSettings()
    demo: DemoSettings = DemoSettings()
    plan: PlanSettings = PlanSettings()

    @model_validator(mode="after")
    def _same_rules(self) -> Self:
        rules = RuleSettings.model_validate({name: getattr(self.verify, name) for name in RuleSettings.model_fields})
        if self.annotate.enough and self.annotate.rules != rules:
            raise ValueError("annotate.rules differ from verify's: what annotate takes for enough, verify would reject")
        return self


def load_config(source: str = "published") -> Config:
    """Configuration of a preset (a file in ``presets/``) or of a YAML file; ``ConfigError`` names every wrong key."""
    path = Path(source) if source.endswith((".yaml", ".yml")) else None
    try:
        text = path.read_text() if path else files("clsp.config").joinpath(f"presets/{source}.yaml").read_text()
    except FileNotFoundError as error:
        raise ConfigError(
            f"no configuration {source!r}", hint=f"name a preset ({', '.join(preset_names())}) or a .yaml file"
        ) from error
    return parse_settings(Config, yaml.safe_load(text) or {})


def preset_names() -> list[str]:
    """Names of the presets."""
    found = files("clsp.config").joinpath("presets").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in found if file.name.endswith(".yaml"))


def parse_settings(kind: type[S], values: dict[str, Any] | str) -> S:
    """Validate ``values`` (a mapping or its JSON) as ``kind``; ``ConfigError`` lists what is wrong."""
    try:
        return kind.model_validate_json(values) if isinstance(values, str) else kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'value'}: {item['msg']}" for item in error.errors())
        raise ConfigError(
            f"wrong settings: {problems}", hint="see clsp/config for the names and their meaning"
        ) from error

"""Settings of evaluate and register."""

from pydantic import Field

from clsp.config.base import Section


class EvaluationSettings(Section):
    """Retrieval on held-out speakers (reference 1.11)."""

    split: str = Field("test", description="Split that is reported; checkpoints are chosen on dev")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of each interval")
    confidence: float = Field(0.95, gt=0, lt=1)
    batch_size: int = Field(16, ge=1)
    seed: int = 0


class RegisterSettings(Section):
    """Name and alias of the registered model."""

    name: str = Field("clsp", description="Name of the model")
    alias: str = Field("latest", description="Alias moved to the new version")

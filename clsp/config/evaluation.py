"""Settings of evaluate and register."""

from pydantic import Field

from clsp.config.base import Section


class EvaluationSettings(Section):
    """Retrieval on held-out speakers (reference 1.11)."""

    split: str = Field("test", description="Split that is reported; checkpoints are chosen on dev")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of each interval")
    confidence: float = Field(0.95, gt=0, lt=1, description="Share of resamples (and of shuffles) inside an interval")
    control_shuffles: int = Field(400, ge=40, description="Random pairings that the shuffled control scores")
    batch_size: int = Field(16, ge=1, description="Clips or captions of one forward")
    threads: int = Field(
        1, ge=1, description="CPU threads of a forward; with other numbers sums round otherwise, so machines must agree"
    )
    examples_per_unit: int = Field(256, ge=1, description="Clips that are embedded and committed together")
    seed: int = Field(0, description="Seed of resamples and shuffles")


class RegisterSettings(Section):
    """Name and alias of the registered model."""

    name: str = Field("clsp", description="Name of the model")
    alias: str = Field("latest", description="Alias moved to the new version")

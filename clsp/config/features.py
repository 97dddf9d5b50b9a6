"""Settings of features: what a training set is selected by."""

from pydantic import Field

from clsp.config.base import Section


class FeatureSettings(Section):
    """The selection that follows the historical join, and how clips are measured."""

    min_seconds: float = Field(1.0, ge=0, description="Shorter clips are left out")
    max_seconds: float = Field(30.0, gt=0, description="Longer clips are left out")
    min_fine_captions: int = Field(
        2, ge=1, description="Different fine captions a clip of train needs: stage 2 draws two of them"
    )
    licences: tuple[str, ...] = Field((), description="Licences whose recordings may be used; empty allows all")
    examples_per_unit: int = Field(64, ge=1, description="Clips that are measured and committed together")
    workers: int = Field(2, ge=1, description="Processes that measure clips")

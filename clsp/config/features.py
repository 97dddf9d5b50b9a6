"""Settings of features: what a training set is selected by."""

from pydantic import Field

from clsp.config.base import Section


class FeatureSettings(Section):
    """The selection that the historical join applies."""

    min_seconds: float = Field(1.0, ge=0)
    max_seconds: float = Field(30.0, gt=0)
    min_fine_captions: int = Field(2, ge=1, description="Stage 2 draws two different fine captions of a clip")
    licences: tuple[str, ...] = Field((), description="Licences that may be trained on; empty allows all")

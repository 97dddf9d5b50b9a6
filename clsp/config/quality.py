"""Settings of validate: which thresholds judge the data."""

from pydantic import Field

from clsp.config.base import Section


class QualitySettings(Section):
    """Thresholds live in one YAML file; ``data_quality/thresholds.yaml`` unless another is named."""

    thresholds: str = Field("", description="YAML text that replaces the built-in thresholds; empty keeps them")
    max_example_rows: int = Field(5, ge=0, description="Rows shown for a failing rule")

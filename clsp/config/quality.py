"""Settings of validate: which thresholds judge the data."""

from pydantic import Field

from clsp.config.base import Section


class QualitySettings(Section):
    """Thresholds live in one YAML file, ``data_quality/thresholds.yaml``; an operator changes them by key."""

    thresholds: str = Field(
        "", description="YAML text whose keys replace those of the built-in thresholds; empty keeps them all"
    )
    baseline: str = Field(
        "", description="Manifest of an accepted data set that drift is judged against; empty judges none"
    )
    max_example_rows: int = Field(5, ge=0, description="Rows named for a failing rule")

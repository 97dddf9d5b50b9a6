"""Settings of validate: which thresholds judge the data."""

from pydantic import Field

from clsp.config.base import Section


class QualitySettings(Section):
    """Thresholds live in one YAML file, ``data_quality/thresholds.yaml``; an operator changes them by key."""

    thresholds: str = Field(
        "", description="YAML text whose keys replace those of the built-in thresholds; empty keeps them all"
    )
    dataset: str = Field(
        "default",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$",
        description="Name under which the data sets of a store follow one another: drift is judged against the last "
        "accepted of them; data of another kind gets a name of its own, and empty leaves it out of every series",
    )
    baseline: str = Field(
        "", description="Manifest of an accepted data set that drift is judged against instead; empty names none"
    )
    max_example_rows: int = Field(5, ge=0, description="Rows named for a failing rule")

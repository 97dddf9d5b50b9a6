"""What every section of the configuration shares: frozen, validated, unknown keys refused."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen group of settings; each field's description says what it is, with its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, protected_namespaces=())

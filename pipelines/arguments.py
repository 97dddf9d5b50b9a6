"""From a configuration to the parameters of a flow: every flow takes the same names and the sections it needs."""

import secrets
from datetime import UTC, datetime

from clsp.config import Config


def new_run_id() -> str:
    """A name for a run that sorts by time: ``20260102T030405-9f3a1c``."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def settings_parameters(config: Config) -> dict[str, str]:
    """Each section's JSON by parameter name: ``{"ingest_settings": "{…}", …}``."""
    return {f"{name}_settings": getattr(config, name).model_dump_json() for name in type(config).model_fields}


def flow_arguments(accepted: set[str], config: Config, **values: str) -> dict[str, str]:
    """The arguments among settings and ``values`` that a flow with these parameters takes."""
    given = {**settings_parameters(config), **values}
    return {name: given[name] for name in sorted(accepted) if name in given}

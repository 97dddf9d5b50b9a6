"""Where a step's heavy work runs: in the step itself, or as objects of a cluster that the step starts and follows."""

from clsp.config import ClusterSettings, parse_settings
from clsp.errors import ConfigError


def run_here(step: str, cluster: str) -> None:
    """Check the cluster settings (JSON) of a step whose work can only run in the step itself."""
    if parse_settings(ClusterSettings, cluster).enabled:
        raise ConfigError(f"{step} cannot start work on a cluster", hint="set cluster.enabled to false")

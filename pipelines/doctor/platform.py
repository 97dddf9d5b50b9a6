"""What doctor is told: the configuration, and the settings of the Helm release where it runs in one."""

import os
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from clsp.config import Config
from clsp.errors import ConfigError
from pipelines.doctor.records import Release, Uses

PLATFORM_VARIABLE = "CLSP_PLATFORM"
_USES = {"prometheusOperator": "prometheus_operator"}


class _Platform(BaseModel):
    """The parts of the chart's platform.yaml that doctor needs."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    uses: dict[str, bool] = {}
    serviceAccounts: dict[str, str] = {}  # noqa: N815 - the chart's word
    store: dict[str, str] = {}
    images: dict[str, Any] = {}


def read_release(config: Config, store: str) -> Release:
    """The release that ``config`` and, inside a release, its platform.yaml describe."""
    from components.kubernetes.pods import image_of

    platform = _read_platform(os.environ.get(PLATFORM_VARIABLE, ""))
    roles = ("step", "trainer", "embedder")
    return Release(
        store=store or platform.store.get("uri", ""),
        cluster=config.cluster,
        kfp=config.kfp,
        uses=Uses(**{_USES.get(name, name): used for name, used in platform.uses.items()}),
        steps_account=platform.serviceAccounts.get("steps", ""),
        prometheus=os.environ.get("CLSP_PROMETHEUS_URL", ""),
        grafana=os.environ.get("CLSP_GRAFANA_URL", ""),
        images=tuple(image_of(config.cluster.images, role) for role in roles) if config.cluster.enabled else (),
    )


def _read_platform(path: str) -> _Platform:
    if not path:
        return _Platform()
    try:
        return _Platform.model_validate(yaml.safe_load(Path(path).read_text()))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise ConfigError(
            f"{PLATFORM_VARIABLE}={path} cannot be read: {error}",
            hint="mount platform.yaml of the release's ConfigMap there, or unset the variable",
        ) from error

"""What is uploaded of a flow: the committed IR, with the images, secrets, environment and labels of one release put in.

Nothing else of it changes, so a version in KFP is named by the release of the code and the hash of its bytes.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from clsp.config import ClusterSettings
from clsp.config.cluster import ClusterImages
from clsp.hashing import digest
from clsp.version import __version__
from components.images import EMBEDDER_IMAGE, STEP_IMAGE, TRAINER_IMAGE
from pipelines.compile import COMPILED
from pipelines.resources import API_KEYS_SECRET, DEFAULTS, INSTANCE_LABEL


@dataclass(frozen=True)
class Package:
    """A flow as KFP takes it: two YAML documents under a pipeline's name and a version's."""

    pipeline: str
    version: str
    text: str

    @property
    def filename(self) -> str:
        """Name of the file that is uploaded."""
        return f"{self.pipeline}-{self.version}.yaml"


def package_flow(flow: str, cluster: ClusterSettings) -> Package:
    """The committed IR of ``flow`` for a release; byte for byte what is committed where the release changes nothing."""
    text = (COMPILED / f"{flow}.yaml").read_text()
    spec, platform = yaml.safe_load_all(text)
    changed = _name_images(spec, cluster.images) + _name_objects(platform, cluster)
    changed += _set_environment(spec, platform, cluster.environment)
    if changed:
        text = yaml.safe_dump_all([spec, platform], sort_keys=True)
    return Package(spec["pipelineInfo"]["name"], f"{__version__}-{digest(text.encode())[:10]}", text)


def _name_images(spec: dict[str, Any], images: ClusterImages) -> int:
    chosen = {STEP_IMAGE: images.step, TRAINER_IMAGE: images.trainer, EMBEDDER_IMAGE: images.embedder}
    changed = 0
    for executor in spec["deploymentSpec"]["executors"].values():
        container = executor["container"]
        wanted = chosen.get(container["image"]) or container["image"]
        changed += wanted != container["image"]
        container["image"] = wanted
    return changed


def _set_environment(spec: dict[str, Any], platform: dict[str, Any], environment: dict[str, str]) -> int:
    """The steps' own variables; one that is set here is not taken from a Secret as well."""
    for executor in spec["deploymentSpec"]["executors"].values() if environment else ():
        before = [item for item in executor["container"].get("env", []) if item["name"] not in environment]
        executor["container"]["env"] = before + [{"name": name, "value": text} for name, text in environment.items()]
    for executor in _platform_executors(platform):
        for secret in executor["secretAsEnv"]:
            secret["keyToEnv"] = [pair for pair in secret["keyToEnv"] if pair["envVar"] not in environment]
    return len(environment)


def _name_objects(platform: dict[str, Any], cluster: ClusterSettings) -> int:
    secrets = {
        DEFAULTS.store_secret: cluster.store_secret,
        DEFAULTS.captioner_secret: cluster.captioner_secret,
        API_KEYS_SECRET: cluster.api_keys_secret or API_KEYS_SECRET,
    }
    changed = cluster.release != DEFAULTS.release or any(old != new for old, new in secrets.items())
    for executor in _platform_executors(platform):
        executor["podMetadata"]["labels"][INSTANCE_LABEL] = cluster.release
        for secret in executor["secretAsEnv"]:
            name = secrets[secret["secretName"]]
            secret["secretName"] = name
            secret["secretNameParameter"] = {"runtimeValue": {"constant": name}}
    return int(changed)


def _platform_executors(platform: dict[str, Any]) -> list[dict[str, Any]]:
    return list(platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values())

"""The bill of materials of the environment this runs in, as CycloneDX 1.6 JSON: all that Python and Debian installed.

Runs inside an image (``python3 -m pipelines.images.sbom``), so it needs nothing but the standard library.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

Component = dict[str, Any]
_DPKG = Path("/var/lib/dpkg/status")


def make_sbom(packages: Iterable[Distribution], dpkg: str = "") -> dict[str, Any]:
    """The bill: Python distributions by their metadata, Debian packages by dpkg's status file."""
    components = [*map(python_component, packages), *debian_components(dpkg)]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "components": sorted(components, key=lambda item: str(item["purl"])),
    }


def python_component(package: Distribution) -> Component:
    """One distribution, with the licence it states."""
    metadata: Mapping[str, str] = package.metadata  # type: ignore[assignment]  # a Message, which reads as one
    name = metadata["Name"].lower().replace("_", "-").replace(".", "-")
    purl = f"pkg:pypi/{name}@{package.version}"
    component: Component = {"type": "library", "name": name, "version": package.version, "purl": purl, "bom-ref": purl}
    if expression := metadata.get("License-Expression"):
        return component | {"licenses": [{"expression": expression}]}
    if stated := (metadata.get("License") or "").strip().splitlines():
        return component | {"licenses": [{"license": {"name": stated[0]}}]}
    return component


def debian_components(status: str) -> Iterator[Component]:
    """The packages of a dpkg status file."""
    for paragraph in status.split("\n\n"):
        lines = (line.partition(": ") for line in paragraph.splitlines() if line[:1].strip())
        fields = {name: value for name, _, value in lines}
        if fields.get("Status", "").endswith(" installed"):
            purl = f"pkg:deb/debian/{fields['Package']}@{fields['Version']}?arch={fields['Architecture']}"
            yield {
                "type": "library",
                "name": fields["Package"],
                "version": fields["Version"],
                "purl": purl,
                "bom-ref": purl,
            }


if __name__ == "__main__":
    json.dump(make_sbom(distributions(), _DPKG.read_text() if _DPKG.exists() else ""), sys.stdout)

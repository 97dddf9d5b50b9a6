"""The bill of materials names everything that Python and Debian installed, in CycloneDX's words."""

import json
import subprocess
import sys
from email.message import Message
from importlib.metadata import Distribution, distributions

from packaging.utils import canonicalize_name

from pipelines.images.sbom import debian_components, make_sbom, python_component

STATUS = """\
Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9+deb12u13
Description: GNU C Library
 Shared libraries

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1.0
"""


class Package(Distribution):
    """A distribution with the given metadata."""

    def __init__(self, **fields: str):
        self._message = Message()
        for name, value in fields.items():
            self._message[name.replace("_", "-")] = value

    @property
    def metadata(self):
        return self._message

    def read_text(self, filename):
        raise NotImplementedError

    def locate_file(self, path):
        raise NotImplementedError


def test_every_distribution_of_this_environment_is_listed():
    bill = make_sbom(distributions())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert {item["name"] for item in bill["components"]} == {canonicalize_name(d.name) for d in distributions()}


def test_a_component_has_an_address_and_the_licence_it_states():
    named = python_component(Package(Name="A_b.C", Version="1.2", License="BSD\nlong text"))
    assert named["purl"] == named["bom-ref"] == "pkg:pypi/a-b-c@1.2"
    assert named["licenses"] == [{"license": {"name": "BSD"}}]
    expressed = python_component(Package(Name="x", Version="1", License_Expression="MIT OR Apache-2.0"))
    assert expressed["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert "licenses" not in python_component(Package(Name="x", Version="1"))


def test_debian_packages_are_those_installed():
    (package,) = debian_components(STATUS)
    assert package["purl"] == "pkg:deb/debian/libc6@2.36-9+deb12u13?arch=amd64"


def test_it_runs_by_itself_without_any_package():
    command = [sys.executable, "-S", "-m", "pipelines.images.sbom"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(printed.stdout)["bomFormat"] == "CycloneDX"

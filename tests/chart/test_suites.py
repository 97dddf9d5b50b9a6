"""The chart's helm-unittest suites pass, and every template has one."""

import subprocess

import yaml

from tests.chart.rendering import CHART
from tests.cluster.tools.build import binary


def test_suites_pass() -> None:
    result = subprocess.run(
        [str(binary("helm-unittest")), "--strict", "-f", "tests/**/*_test.yaml", str(CHART)],
        capture_output=True,
        text=True,
        check=False,
    )
    suites = len(list(CHART.glob("tests/**/*_test.yaml")))
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"{suites} passed, {suites} total" in result.stdout, "some suites were not run"


def test_every_template_has_a_suite() -> None:
    templates = {str(path.relative_to(CHART)) for path in CHART.glob("templates/**/*.*")}
    shown = {path for path in templates if not path.rpartition("/")[2].startswith("_")}
    tested = {
        path for suite in CHART.glob("tests/**/*_test.yaml") for path in yaml.safe_load(suite.read_text())["templates"]
    }
    assert shown == tested

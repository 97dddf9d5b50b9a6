"""UPGRADE.md has a section for the version that the chart is at, and its commands are ones that helm knows."""

import re

import yaml

from tests.chart.rendering import CHART, helm

NOTES = (CHART.parents[1] / "UPGRADE.md").read_text()


def test_the_chart_version_has_a_section() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]
    assert f"### {version.rpartition('.')[0]}\n" in NOTES


def test_commands_and_their_options_exist() -> None:
    commands = [line.split("#")[0].split() for line in NOTES.splitlines() if line.startswith("helm ")]
    known = [words for words in commands if words[1] != "diff"]  # a plugin, named as one
    assert {words[1] for words in known} == {"upgrade", "test", "history", "rollback"}
    for words in known:
        said = helm(words[1], "--help").stdout
        for option in (word for word in words if word.startswith("-")):
            assert re.search(rf"(?<![\w-]){re.escape(option)}\b", said), f"helm {words[1]} has no {option}"

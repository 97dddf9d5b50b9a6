"""Boards read metrics that exist, their queries parse, and their panels stand where they can be seen."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.dashboards.boards import BOARDS
from pipelines.dashboards.records import Board
from pipelines.dashboards.rendering import render_board
from tests.chart.promql import UPSTREAM, exported, metrics_of
from tests.chart.rendering import find, render_shape

RECORDED = {"clsp:gpu_hour_price"}  # by the chart's PrometheusRule
each_board = pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.name)


def _queries(board: Board) -> list[str]:
    return [query.expr for row in board.rows for panel in row.panels for query in panel.queries]


@each_board
def test_queries_read_metrics_that_exist(board: Board) -> None:
    for query in _queries(board):
        assert metrics_of(query), query
        assert metrics_of(query) <= exported() | UPSTREAM | RECORDED, query


@each_board
def test_queries_are_promql(board: Board, tmp_path: Path) -> None:
    queries = [query.replace("$namespace", "speech") for query in _queries(board)]
    rules = [{"record": f"q{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}))
    result = subprocess.run(
        ["promtool", "check", "rules", "rules.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


@each_board
def test_panels_neither_overlap_nor_leave_the_page(board: Board) -> None:
    taken: set[tuple[int, int]] = set()
    panels = render_board(board)["panels"]
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels}) == len(panels)


@each_board
def test_every_panel_says_what_it_shows(board: Board) -> None:
    for panel in render_board(board)["panels"]:
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"], panel["title"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_the_chart_carries_the_boards_for_the_sidecar() -> None:
    objects = render_shape("a100")
    for board in BOARDS:
        found = find(objects, "ConfigMap", f"-dashboard-{board.name}")
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        (text,) = found["data"].values()
        dashboard: dict[str, Any] = yaml.safe_load(text)
        assert dashboard == render_board(board)


def test_the_price_of_the_fleet_board_is_recorded_by_the_chart() -> None:
    groups = find(render_shape("a100"), "PrometheusRule")["spec"]["groups"]
    prices = [rule for group in groups for rule in group["rules"] if rule.get("record") in RECORDED]
    assert {rule["labels"]["work"] for rule in prices} == {"annotate", "verify", "train", "serve"}
    assert {rule["expr"] for rule in prices} == {"vector(2.5)"}

"""From a board to Grafana's dashboard JSON; stable, so that the files of the chart change only when a board does."""

from typing import Any

from pipelines.dashboards.records import Board, Panel, Row

Json = dict[str, Any]
TAG = "clsp-platform"
_SCHEMA = 39
_HEIGHT = 8
_COLUMNS = 24
_SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}


def render_board(board: Board) -> Json:
    """The dashboard as Grafana's API and its sidecar take it."""
    return {
        "uid": board.uid,
        "title": board.title,
        "description": board.description,
        "tags": [TAG],
        "schemaVersion": _SCHEMA,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "templating": {"list": _variables()},
        "links": [{"type": "dashboards", "title": "CLSP", "tags": [TAG], "asDropdown": True, "includeVars": True}],
        "panels": _panels(board.rows),
    }


def _variables() -> list[Json]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "namespace",
            "label": "Namespace",
            "type": "query",
            "datasource": _SOURCE,
            "query": {"query": "label_values(kube_pod_info, namespace)", "refId": "namespace"},
            "refresh": 2,
            "sort": 1,
        },
    ]


def _panels(rows: tuple[Row, ...]) -> list[Json]:
    made: list[Json] = []
    top = 0
    for row in rows:
        made.append(_row(row, len(made) + 1, top))
        top, left = top + 1, 0
        for panel in row.panels:
            if left + panel.width > _COLUMNS:
                top, left = top + _HEIGHT, 0
            made.append(_panel(panel, len(made) + 1, left, top))
            left += panel.width
        top += _HEIGHT
    return made


def _row(row: Row, number: int, top: int) -> Json:
    place = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(panel: Panel, number: int, left: int, top: int) -> Json:
    return {
        "id": number,
        "type": panel.look,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": {"x": left, "y": top, "w": panel.width, "h": _HEIGHT},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": query.expr,
                "legendFormat": query.legend or "__auto",
                **({"format": "table", "instant": True} if panel.look == "table" else {}),
            }
            for place, query in enumerate(panel.queries)
        ],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.look],
    }


def _defaults(panel: Panel) -> Json:
    defaults: Json = {"unit": panel.unit, "min": 0, "color": {"mode": "palette-classic"}}
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    if panel.look == "timeseries":
        stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
        defaults["custom"] = {"lineWidth": 2, "fillOpacity": 20 if panel.stacked else 8, "stacking": stacking}
    return defaults


_LAST: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[str, Json] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": _LAST, "colorMode": "value", "graphMode": "area", "textMode": "auto"},
    "bargauge": {"reduceOptions": _LAST, "orientation": "horizontal", "displayMode": "basic"},
    "table": {"showHeader": True},
}

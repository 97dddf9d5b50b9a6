"""The table of values in the chart's README."""

import json
from typing import Any

from pipelines.chart.documents import Value

BEGIN, END = "<!-- values: made by `make chart` -->", "<!-- end of values -->"
_WIDTH = 60


def values_table(values: tuple[Value, ...]) -> str:
    """A Markdown table with a row a value that can be set."""
    rows = [item for value in values for item in value.walk() if not item.children]
    lines = [f"| `{_shown(item)}` | {_code(item.default)} | {item.description}{_example(item)} |" for item in rows]
    return "\n".join(["| value | default | what it is |", "| --- | --- | --- |", *lines])


def with_table(readme: str, values: tuple[Value, ...]) -> str:
    """``readme`` with the table between its two marks brought up to date."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{values_table(values)}\n\n{END}{after}"


def _shown(value: Value) -> str:
    return ".".join("NAME" if value.path[0] == "pools" and place == 1 else key for place, key in enumerate(value.path))


def _example(value: Value) -> str:
    if value.settings:
        return f" Keys: section `{value.settings}` of clsp/config. Example: {_code(value.example)}"
    return "" if value.example == value.default else f" Example: {_code(value.example)}"


def _code(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    shortened = text if len(text) <= _WIDTH or not isinstance(value, list | dict) else f"{text[:_WIDTH]}…"
    return f"`{shortened.replace('|', chr(92) + '|')}`"

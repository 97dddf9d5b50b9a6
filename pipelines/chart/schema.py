"""values.schema.json: every key typed, described and with an example; a key it does not name is refused."""

from typing import Any

from clsp.config import Config, ServeSettings
from clsp.config.base import Section
from clsp.config.schedules import Schedule
from pipelines.chart.documents import Value

_SECTIONS = {"Config": Config, "Schedule": Schedule, "ServeSettings": ServeSettings}
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
# The chart decides where a server listens and when it must be gone; the values say nothing about it.
DECIDED_BY_CHART = frozenset({"host", "port", "grpc", "grpc_port", "drain_seconds", "grace_seconds"})


def values_schema(values: tuple[Value, ...]) -> dict[str, Any]:
    """The JSON schema (draft 7) of the values."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of charts/clsp-platform",
        "type": "object",
        "additionalProperties": False,
        # Helm adds `global` to the values of every chart.
        "properties": {"global": {"type": "object"}, **{value.path[-1]: _schema(value) for value in values}},
    }


def section_schema(section: type[Section], leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The schema of a section of clsp/config, self-contained, each setting optional and with its default as example."""
    whole = section.model_json_schema()
    definitions = whole.get("$defs", {})
    resolved: dict[str, Any] = _resolved(whole, definitions)
    resolved["properties"] = {name: item for name, item in resolved["properties"].items() if name not in leave_out}
    return resolved


def _schema(value: Value) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": value.description}
    if value.settings:
        left_out = DECIDED_BY_CHART if value.settings == "ServeSettings" else frozenset()
        kind = _SECTIONS[value.settings]
        section = section_schema(kind, left_out)
        if isinstance(value.default, list):
            needed = [name for name, field in kind.model_fields.items() if field.is_required()]
            schema |= {"type": "array", "items": section | {"required": needed}}
        else:
            schema |= section | schema
    elif value.is_map:
        schema |= {"type": "object", "additionalProperties": _schema(value.children[0])}
    elif value.children:
        schema |= {
            "type": "object",
            "additionalProperties": False,
            "properties": {child.path[-1]: _schema(child) for child in value.children},
        }
    else:
        schema |= {"type": _TYPES[type(value.default)]}
    return schema | value.hints | {"examples": [value.example]}


def _resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """``schema`` with references in place, and without what a value file has no use for."""
    if isinstance(schema, list):
        return [_resolved(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rpartition("/")[2]]
        return _resolved({**target, **{key: item for key, item in schema.items() if key != "$ref"}}, definitions)
    properties = schema.get("properties", {})
    kept = {key: item for key, item in schema.items() if key not in ("$defs", "title", "required", "properties")}
    kept = {key: _resolved(item, definitions) for key, item in kept.items() if key != "default"}
    if properties:
        kept["properties"] = {name: _resolved(item, definitions) for name, item in properties.items()}
    elif "default" in schema:
        kept["examples"] = [schema["default"]]
    return kept

"""Reads values.yaml with its comments: each key with its description, example and type hints.

Only the comment block directly above a key counts, so that the file stays an ordinary values file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from clsp.errors import ConfigError

_MARKERS = ("example", "schema", "map", "settings")


@dataclass(frozen=True)
class Value:
    """One key of values.yaml; ``children`` are documented keys below it, ``is_map`` when a user names those."""

    path: tuple[str, ...]
    default: Any
    description: str
    example: Any
    hints: dict[str, Any]
    settings: str
    is_map: bool
    children: tuple["Value", ...]

    @property
    def name(self) -> str:
        """``serving.model.uri``."""
        return ".".join(self.path)

    def walk(self) -> Iterator["Value"]:
        """This value and all below it."""
        yield self
        for child in self.children:
            yield from child.walk()


def read_values(path: Path) -> tuple[Value, ...]:
    """The documented keys of a values file; ``ConfigError`` names a key without description or example."""
    text = path.read_text()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ConfigError(f"{path} holds no mapping", hint="write values as keys")
    return _children(root, (), text.splitlines())


def _children(node: yaml.MappingNode, above: tuple[str, ...], lines: list[str]) -> tuple[Value, ...]:
    return tuple(_value(key, value, above, lines) for key, value in node.value)


def _value(key: yaml.ScalarNode, node: yaml.Node, above: tuple[str, ...], lines: list[str]) -> Value:
    path = (*above, str(key.value))
    text, markers = _comment(lines, key.start_mark.line)
    default = _construct(node)
    is_map, settings = "map" in markers, markers.get("settings", "")
    hints = yaml.safe_load(markers.get("schema", "{}"))
    children: tuple[Value, ...] = ()
    if isinstance(node, yaml.MappingNode) and node.value and "additionalProperties" not in hints and not settings:
        entries = node.value[:1] if is_map else node.value
        children = tuple(_value(name, value, path, lines) for name, value in entries)
    example = yaml.safe_load(markers["example"]) if "example" in markers else default
    value = Value(path, default, text, example, hints, settings, is_map, children)
    _check(value)
    return value


def _check(value: Value) -> None:
    if not value.description:
        raise ConfigError(f"values: {value.name} has no description", hint="write a comment directly above the key")
    if not value.children and value.example in ("", [], {}, None):
        raise ConfigError(f"values: {value.name} has no example", hint="add a line '# @example …' to its comment")


def _comment(lines: list[str], line: int) -> tuple[str, dict[str, str]]:
    """Description and markers of the comment block that ends just above ``line``."""
    first = line
    while first and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    said: list[str] = []
    markers: dict[str, str] = {}
    for text in (item.lstrip().removeprefix("#").strip() for item in lines[first:line]):
        name, _, rest = text.removeprefix("@").partition(" ")
        if not text.startswith("@"):
            said.append(text)
        elif name in _MARKERS:
            markers[name] = rest
        else:
            raise ConfigError(f"values: unknown marker @{name}", hint=f"use one of {', '.join(_MARKERS)}")
    return " ".join(said), markers


def _construct(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node, Dumper=yaml.SafeDumper))

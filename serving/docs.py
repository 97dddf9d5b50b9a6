"""``/docs``: what the server offers, as one page that needs nothing from any other host.

Written from the same OpenAPI document that programs read, so it cannot tell another story.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import orjson
from fastapi import APIRouter, FastAPI
from jinja2 import Environment
from starlette.responses import HTMLResponse

_METHODS = ("get", "post", "put", "delete")


@dataclass(frozen=True)
class Field:
    """One field of a body: its name, what it may be, whether it must be there."""

    name: str
    kind: str
    required: bool
    default: str


@dataclass(frozen=True)
class Operation:
    """One route: method, path, what it is for, its group, and the fields of its body."""

    method: str
    path: str
    summary: str
    group: str
    fields: tuple[Field, ...]


def add_docs(app: FastAPI) -> None:
    """Serve the page of everything that ``app`` offers by the time it is asked for."""
    router = APIRouter()
    template = Environment(autoescape=True).from_string(files("serving").joinpath("docs.html.j2").read_text())

    @router.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        page = app.openapi()
        groups: dict[str, list[Operation]] = {"CLSP": []}  # ours come first
        for operation in operations(page):
            groups.setdefault(operation.group, []).append(operation)
        return HTMLResponse(
            template.render(title=page["info"]["title"], version=page["info"]["version"], groups=groups)
        )

    app.include_router(router)


def operations(page: Mapping[str, Any]) -> Iterator[Operation]:
    """The routes of an OpenAPI document, in its order."""
    for path, methods in page["paths"].items():
        for method in _METHODS:
            if found := methods.get(method):
                summary = found.get("description") or found.get("summary", "")
                group = (found.get("tags") or ["Health and metrics"])[0]
                yield Operation(method.upper(), path, summary.split("\n\n")[0], group, tuple(_fields(found, page)))


def _fields(operation: Mapping[str, Any], page: Mapping[str, Any]) -> Iterator[Field]:
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    if "$ref" in schema:
        schema = page["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for name, value in schema.get("properties", {}).items():
        default = "" if value.get("default") in (None, "") else orjson.dumps(value["default"]).decode().strip('"')
        yield Field(name, _kind(value), name in schema.get("required", ()), default)


def _kind(schema: Mapping[str, Any]) -> str:
    """A type in words: ``string``, ``array of object``, ``float or base64``."""
    if "anyOf" in schema:
        return " or ".join(_kind(each) for each in schema["anyOf"] if each.get("type") != "null")
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"array of {_kind(schema.get('items', {}))}"
    return str(schema.get("type") or schema.get("$ref", "any").rpartition("/")[2])

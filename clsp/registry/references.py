"""How a registered model is named: ``NAME/VERSION``, ``NAME@ALIAS``, or either below ``STORE/models/``."""

import re
from dataclasses import dataclass

from clsp.errors import ModelError

FOLDER = "models"
ALIASES = "aliases"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ModelReference:
    """``name`` and what follows it; ``is_alias`` when it was written with '@' and can be nothing else."""

    name: str
    label: str
    is_alias: bool


def checked_name(kind: str, name: str) -> str:
    """``name`` when it can be one segment of an object key; ``ModelError`` otherwise."""
    if not _NAME.fullmatch(name) or name == ALIASES:
        raise ModelError(
            f"{name!r} cannot be the {kind} of a model", hint="use letters, digits, '.', '_' and '-', at most 64"
        )
    return name


def parse_reference(text: str) -> ModelReference:
    """Read ``NAME@ALIAS``, ``NAME/VERSION`` or ``NAME/ALIAS``; ``ModelError`` when it is neither."""
    separator = "@" if "@" in text else "/"
    name, found, label = text.strip("/").partition(separator)
    if not found:
        raise ModelError(f"{text!r} names no version", hint="write NAME/VERSION or NAME@ALIAS, say clsp@latest")
    return ModelReference(checked_name("name", name), checked_name("version", label), is_alias=separator == "@")


def parse_uri(uri: str) -> tuple[str, str] | None:
    """``STORE/models/REFERENCE`` to the store's URI and the reference; None for anything else."""
    store, found, reference = uri.rstrip("/").rpartition(f"/{FOLDER}/")
    return (store, reference) if found and store else None


def version_prefix(name: str, version: str) -> str:
    """Key prefix of a version directory, without the slash at its end."""
    return f"{FOLDER}/{name}/{version}"

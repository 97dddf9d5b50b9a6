"""Registered models: immutable version directories in a store, and aliases that move between them."""

from clsp.registry.aliases import current_alias, move_alias
from clsp.registry.card import CardFacts, write_card
from clsp.registry.references import ModelReference, parse_uri
from clsp.registry.versions import (
    VERSION_FILE,
    VersionDocument,
    fetch,
    publish,
    read_document,
    resolve,
    versions,
)

__all__ = [
    "VERSION_FILE", "CardFacts", "ModelReference", "VersionDocument", "current_alias", "fetch", "move_alias",
    "parse_uri", "publish", "read_document", "resolve", "versions", "write_card",
]  # fmt: skip

"""Content hashes and canonical JSON: the names that everything immutable goes by.

Two runs that do the same must write the same bytes, so one spelling of JSON and one digest serve the whole platform.
"""

import hashlib
from pathlib import Path
from typing import Any

import orjson

_CHUNK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """Encode ``value`` with sorted keys and no spaces, so that equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)


def digest(data: bytes) -> str:
    """SHA-256 of ``data`` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``."""
    return digest(canonical_json(value))


def digest_file(path: Path) -> str:
    """SHA-256 of a file, read in chunks."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()


def unit_interval(*parts: object) -> float:
    """A number in [0, 1) that depends on ``parts`` alone: the seeded choice without a generator's state."""
    return int(digest_of([str(part) for part in parts])[:13], 16) / 16**13

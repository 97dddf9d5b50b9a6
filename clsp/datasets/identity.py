"""What says that two imports read the same files, wherever these lie and whenever they were copied there.

Small files of facts are hashed whole: they are read whole anyway. Sounds and tars of sounds may be terabytes, so they
go by name, size, and the hash of their first and last 16 KiB: another recording, another encoding or another member
at either end is another file. What changes bytes in the middle alone and keeps the size is not seen; give such a file
another name.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import JsonValue

from clsp.datasets.tars import AUDIO
from clsp.errors import DataError
from clsp.hashing import digest_file

_LARGE = frozenset({".tar", *(f".{name}" for name in AUDIO)})
_BLOCK = 16 * 1024  # more than the zeros that end a tar


def identify(places: Iterable[Path]) -> list[JsonValue]:
    """Name, size in bytes and hash of every file at ``places``; ``DataError`` where there is nothing."""
    return [[path.name, path.stat().st_size, _hash(path)] for place in places for path in _files(place)]


def _files(place: Path) -> Iterator[Path]:
    if not place.exists():
        raise DataError(f"no file or folder {place}", hint="give existing places")
    yield from sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]


def _hash(path: Path) -> str:
    if path.suffix.lower() not in _LARGE:
        return digest_file(path)
    with path.open("rb") as file:
        state = hashlib.sha256(file.read(_BLOCK))
        file.seek(max(file.tell(), path.stat().st_size - _BLOCK))
        state.update(file.read(_BLOCK))
    return state.hexdigest()

"""Which metadata entry belongs to which recording, and which belong to none.

People write a path from the source's folder, an absolute path of another machine, a bare name or an id; a bare name
that several folders share says nothing and is reported, never guessed.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from clsp.ingest.metadata import Entry


@dataclass(frozen=True)
class Matches:
    """Entries by recording, and the ``file`` cells that were left over: unknown, ambiguous, or said before."""

    by_file: dict[str, Entry]
    unmatched: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()


def match_entries(entries: Iterable[Entry], files: Iterable[str]) -> Matches:
    """Assign ``entries`` to recordings named ``files``; the first entry of a recording counts."""
    index = _Index(files)
    by_file: dict[str, Entry] = {}
    unmatched, ambiguous, repeated = [], [], []
    for entry in entries:
        found, sure = index.find(entry.file)
        if not found:
            unmatched.append(entry.file)
        elif not sure:
            ambiguous.append(entry.file)
        elif new := found - by_file.keys():
            by_file.update(dict.fromkeys(new, entry))
        else:
            repeated.append(entry.file)
    return Matches(by_file, tuple(unmatched), tuple(ambiguous), tuple(repeated))


class _Index:
    """Recordings by path and by bare name, each with and without its extension."""

    def __init__(self, files: Iterable[str]) -> None:
        self._paths: dict[str, set[str]] = defaultdict(set)
        self._names: dict[str, set[str]] = defaultdict(set)
        for file in files:
            path = PurePosixPath(_normal(file))
            self._paths[str(path)].add(file)
            self._paths[str(path.with_suffix(""))].add(file)
            self._names[path.name].add(file)
            self._names[path.stem].add(file)

    def find(self, cell: str) -> tuple[set[str], bool]:
        """The recordings a cell may mean, and whether that is certain (one path, or a name that is used once)."""
        parts = [part for part in _normal(cell).split("/") if part not in ("", ".")]
        for skipped in range(len(parts)):
            if found := self._paths.get("/".join(parts[skipped:])):
                return found, True
        found = self._names.get(parts[-1], set()) if parts else set()
        return found, len(found) == 1


def _normal(name: str) -> str:
    return unicodedata.normalize("NFC", name.replace("\\", "/"))

"""Where recordings come from: a folder, or a prefix of an object store, listed in one order with content hashes.

The hashes make the source's identity: the same recordings elsewhere are the same work, a changed one is new work.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

from clsp.errors import DataError
from clsp.hashing import digest_file, digest_of
from clsp.storage import ObjectStore, open_store

METADATA_NAMES = ("metadata.csv", "metadata.tsv", "metadata.jsonl", "metadata.parquet")
LINKED_FOLDER = "folder_link_outside"


@dataclass(frozen=True)
class SourceFile:
    """One name that looks like a recording. ``problem`` says why it cannot be read ('' when it can)."""

    name: str
    size: int = 0
    sha256: str = ""
    problem: str = ""


class Source(Protocol):
    """Recordings under one place. Names are relative and '/'-separated."""

    def names(self) -> list[SourceFile]:
        """Every file there, without size and hash, in order."""

    def local(self, name: str) -> AbstractContextManager[Path]:
        """The file as a path on this machine, for as long as the context lasts."""


class FolderSource:
    """A folder. Links are followed only to files inside it; linked folders and outward links are refused by name."""

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise DataError(f"no folder {folder}", hint="give a folder of recordings or s3://bucket/prefix")
        self._folder = folder
        self._paths: dict[str, Path] = {}

    def names(self) -> list[SourceFile]:
        found = []
        for parent, folders, files in os.walk(self._folder, onerror=_refuse):
            for entry in (*files, *folders):
                path = Path(parent) / entry
                name = _printable(path.relative_to(self._folder))
                self._paths[name] = path
                found.append(self._entry(name, path))
        return sorted(found, key=lambda file: file.name)

    def _entry(self, name: str, path: Path) -> SourceFile:
        outside = path.is_symlink() and not _real(path).is_relative_to(_real(self._folder))
        if path.is_dir():
            return SourceFile(name, problem=LINKED_FOLDER if outside else "not_a_file")
        if outside and path.exists():
            return SourceFile(name, problem="link_outside")
        return SourceFile(name, problem="" if path.is_file() else "unreadable")

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        yield self._paths.get(name, self._folder / name)


class StoreSource:
    """A prefix of an object store; a file is copied to this machine while it is needed."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def names(self) -> list[SourceFile]:
        return [SourceFile(key) for key in self._store.list("") if not key.endswith("/")]

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="clsp-ingest-") as folder:
            path = Path(folder) / f"recording{PurePosixPath(name).suffix}"
            self._store.get_file(name, path)
            yield path


def open_source(uri: str) -> Source:
    """The source at ``uri``: a folder, ``file:///folder`` or ``s3://bucket/prefix``."""
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        return StoreSource(open_store(uri))
    return FolderSource(Path(parts.path if parts.scheme == "file" else uri))


@dataclass(frozen=True)
class Listing:
    """The recordings of a source, hashed, in order of name; ``metadata`` names the table lying beside them, if any."""

    files: tuple[SourceFile, ...]
    metadata: str = ""

    @property
    def sha256(self) -> str:
        """The identity of the content: names, sizes and hashes."""
        return digest_of([[file.name, file.size, file.sha256, file.problem] for file in self.files])


def list_recordings(source: Source, extensions: tuple[str, ...], threads: int) -> Listing:
    """Find and hash the recordings of ``source``; ``DataError`` when there is none."""
    names = source.names()
    files = [file for file in names if _is_recording(file, extensions)]
    if not files:
        raise DataError(
            f"no recordings among {len(names)} files", hint=f"put files in it that end in {', '.join(extensions)}"
        )
    tables = [file.name for file in names if file.name in METADATA_NAMES and not file.problem]
    if len(tables) > 1:
        raise DataError(f"several metadata tables: {', '.join(tables)}", hint="name the one to use, or leave one")
    with ThreadPoolExecutor(threads) as pool:
        hashed = tuple(pool.map(_hasher(source), files))
    return Listing(hashed, tables[0] if tables else "")


def _is_recording(file: SourceFile, extensions: tuple[str, ...]) -> bool:
    # A folder linked from elsewhere may hold recordings: it is counted, whatever its name.
    suffix = PurePosixPath(file.name).suffix.lower().removeprefix(".")
    return suffix in extensions or file.problem == LINKED_FOLDER


def _hasher(source: Source) -> Callable[[SourceFile], SourceFile]:
    def hashed(file: SourceFile) -> SourceFile:
        if file.problem:
            return file
        try:
            with source.local(file.name) as path:
                return replace(file, size=path.stat().st_size, sha256=digest_file(path))
        except OSError:
            return replace(file, problem="unreadable")

    return hashed


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # unlike Path.resolve, gives up quietly on a circle of links


def _printable(path: Path) -> str:
    """The path as text that every shard can hold: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _refuse(error: OSError) -> None:
    raise DataError(f"cannot list {error.filename}: {error.strerror}", hint="check its permissions") from error

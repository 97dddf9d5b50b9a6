"""An object store in a folder: file:// for laptops and tests.

Objects appear by rename or hard link of a finished, synced file, so a reader never sees half of one.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from clsp.errors import StorageError

_ASIDE = ".aside"


class LocalStore:
    """Implements ``ObjectStore`` under ``root``."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        with _explained(str(self._root)):
            (self._root / _ASIDE).mkdir(parents=True, exist_ok=True)

    @property
    def uri(self) -> str:
        return f"file://{self._root}"

    def get(self, key: str) -> bytes:
        with _explained(key):
            return self._path(key).read_bytes()

    def get_range(self, key: str, start: int, length: int) -> bytes:
        with _explained(key), self._path(key).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def get_file(self, key: str, path: Path) -> None:
        with _explained(key):
            path.write_bytes(self._path(key).read_bytes())

    def put_blob(self, key: str, data: bytes) -> None:
        with _explained(key), self._aside(data) as aside:
            aside.replace(self._made(key))

    def put_file(self, key: str, path: Path) -> None:
        self.put_blob(key, path.read_bytes())

    def put_if_absent(self, key: str, data: bytes) -> bool:
        with _explained(key), self._aside(data) as aside:
            try:
                os.link(aside, self._made(key))
            except FileExistsError:
                return False
            return True

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def list(self, prefix: str) -> Iterator[str]:
        folder = self._path(prefix.rpartition("/")[0]) if "/" in prefix else self._root
        keys = (path.relative_to(self._root).as_posix() for path in folder.rglob("*") if path.is_file())
        yield from sorted(key for key in keys if key.startswith(prefix) and not key.startswith(_ASIDE))

    def delete(self, key: str) -> None:
        with _explained(key):
            self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        if key.startswith("/") or ".." in PurePosixPath(key).parts:
            raise StorageError(f"object key {key!r} leaves its prefix", hint="keys are relative, without '..'")
        return self._root / key

    def _made(self, key: str) -> Path:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def _aside(self, data: bytes) -> Iterator[Path]:
        path = self._root / _ASIDE / uuid.uuid4().hex
        try:
            with path.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield path
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _explained(key: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise StorageError(f"no object {key!r}", hint="check the store and the manifest that names it") from error
    except OSError as error:
        hint = "free space or choose another store" if error.errno == 28 else "check the folder and its permissions"
        raise StorageError(f"cannot use {key!r}: {error.strerror or error}", hint=hint) from error

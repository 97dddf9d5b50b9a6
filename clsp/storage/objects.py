"""What the platform asks of an object store, and nothing more.

Every object is immutable: it is either named by its content (written twice, it is the same) or committed once by
put-if-absent. No object is ever changed in place, so S3 and a folder behave alike and a crash leaves only garbage.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol


class ObjectStore(Protocol):
    """Objects under one prefix. Keys are relative, '/'-separated, never start with '/' and hold no '..'.

    Every method raises ``StorageError`` (with a hint) when the store refuses or cannot be reached.
    """

    @property
    def uri(self) -> str:
        """Where this store is, as ``open_store`` takes it (without credentials)."""

    def get(self, key: str) -> bytes:
        """The whole object; ``StorageError`` when there is none."""

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """``length`` bytes from ``start``; one ranged read."""

    def get_file(self, key: str, path: Path) -> None:
        """Copy the object to a local file, streaming."""

    def put_blob(self, key: str, data: bytes) -> None:
        """Write an object whose key is derived from its content; writing it again changes nothing."""

    def put_file(self, key: str, path: Path) -> None:
        """``put_blob`` from a local file, streaming."""

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Commit ``data`` under ``key`` unless the key exists; True when this call wrote it."""

    def exists(self, key: str) -> bool:
        """Whether there is such an object."""

    def list(self, prefix: str) -> Iterator[str]:
        """Keys that start with ``prefix``, sorted."""

    def delete(self, key: str) -> None:
        """Remove the object if it exists."""

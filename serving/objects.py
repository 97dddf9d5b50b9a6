"""Sounds that callers name by key instead of sending them: objects under the one prefix that the operator allows.

A key is never a URL and never leaves the prefix, and no more is read of an object than a request could hold.
"""

from pathlib import Path
from urllib.parse import urlsplit

from clsp.errors import StorageError
from clsp.storage import ObjectStore, open_store
from serving.errors import RequestError, bad_request, too_large

_LONGEST = 1024
_HINT = "a key is like folder/clip.flac, relative to the prefix that this server may read"


class Objects:
    """Reads objects under ``root`` (file:// or s3://, '' forbids all) of at most ``max_bytes``."""

    def __init__(self, root: str, max_bytes: int) -> None:
        self._store: ObjectStore | None = open_store(root) if root else None
        self._max_bytes = max_bytes

    def read(self, key: str) -> bytes:
        """The bytes of an object; ``RequestError`` when it may not be read, is not there, or is too large."""
        if self._store is None:
            raise bad_request("no_objects", "this server reads no objects", "send the sound itself, as base64")
        self._check(key)
        try:
            found = self._store.exists(key)
        except StorageError as error:
            raise RequestError(
                503, "store_unavailable", "the object store does not answer", hint="try again"
            ) from error
        if not found or not self._inside(key):
            raise bad_request("no_object", "there is no object of that key", _HINT)
        try:
            data = self._store.get_range(key, 0, self._max_bytes + 1)
        except StorageError as error:
            raise bad_request("no_object", "the object cannot be read", "check that it is not empty") from error
        if len(data) > self._max_bytes:
            raise too_large("object_too_large", "the object is too large", f"at most {self._max_bytes} bytes")
        return data

    def _check(self, key: str) -> None:
        parts = key.split("/")
        odd = any(part in ("", ".", "..") for part in parts) or any(sign in key for sign in "\\:?#%")
        if odd or len(key) > _LONGEST or not key.isprintable():
            raise bad_request("bad_key", "that is no key of an object", _HINT)

    def _inside(self, key: str) -> bool:
        """Whether a key of a folder stays in it when links are followed; an object store has none."""
        place = urlsplit(self._store.uri) if self._store else None
        if place is None or place.scheme != "file":
            return True
        root = Path(place.path).resolve()
        return (root / key).resolve().is_relative_to(root)

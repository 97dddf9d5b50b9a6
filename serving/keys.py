"""API keys: who may call, from a file of hashes that is read again when it changes.

The file holds a line a key, ``NAME SHA256`` (hexadecimal); ``python -m serving.keys NAME`` makes a key and prints its
line. Keys are compared in constant time, every hash each time, and neither keys nor hashes are ever logged.
"""

import hashlib
import hmac
import secrets
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from clsp.errors import ConfigError
from clsp.logs import get_logger
from serving.errors import RequestError

log = get_logger(__name__)
ANONYMOUS = ""
_SHA256_DIGITS = 64
_Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class _Loaded:
    stamp: _Stamp
    hashes: tuple[tuple[str, bytes], ...]


class ApiKeys:
    """The keys of a file; ``ConfigError`` when it cannot be used at the start. No file: everybody may call."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None
        self._lock = threading.Lock()
        self._loaded = _read(self._path) if self._path else _Loaded((0, 0, 0), ())

    @property
    def required(self) -> bool:
        """Whether a call needs a key."""
        return self._path is not None

    def caller(self, presented: str) -> str:
        """The name of the key that was presented (``ANONYMOUS`` where none is needed); ``RequestError`` 401."""
        if self._path is None:
            return ANONYMOUS
        digest = hashlib.sha256(presented.encode()).digest()
        matches = [name for name, known in self._current(self._path) if hmac.compare_digest(known, digest)]
        if not matches:
            raise unauthorised()
        return matches[0]

    def _current(self, path: Path) -> tuple[tuple[str, bytes], ...]:
        """The keys as the file has them now; a file that got unusable leaves the last good ones in force."""
        with self._lock:
            try:
                if _stamp(path) != self._loaded.stamp:
                    self._loaded = _read(path)
                    log.info("api_keys_reloaded", keys=len(self._loaded.hashes))
            except (ConfigError, OSError) as error:
                log.warning("api_keys_unusable", reason=type(error).__name__)
            return self._loaded.hashes


def presented_key(headers: dict[str, str]) -> str:
    """The key of a call's headers (lower-case names): ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def unauthorised() -> RequestError:
    """401, the same whether a key was wrong or missing."""
    return RequestError(
        401,
        "unauthorised",
        "this server needs an API key",
        hint="send Authorization: Bearer KEY",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _read(path: Path) -> _Loaded:
    try:
        stamp, lines = _stamp(path), path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the API keys in {path}", hint="mount the Secret's file there") from error
    rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not rows or any(len(row) != 2 or not _is_hash(row[1]) for row in rows):
        raise ConfigError(
            f"{path} holds no usable API keys", hint="a line a key: NAME SHA256; see python -m serving.keys"
        )
    return _Loaded(stamp, tuple((name, bytes.fromhex(value)) for name, value in rows))


def _is_hash(value: str) -> bool:
    return len(value) == _SHA256_DIGITS and all(digit in "0123456789abcdef" for digit in value)


def _stamp(path: Path) -> _Stamp:
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def main() -> None:
    """Print a new key and the line of the keys file that lets it in."""
    name = sys.argv[1] if len(sys.argv) > 1 else "client"
    key = f"clsp-{secrets.token_urlsafe(32)}"
    sys.stdout.write(f"key  {key}\nline {name} {hashlib.sha256(key.encode()).hexdigest()}\n")


if __name__ == "__main__":
    main()

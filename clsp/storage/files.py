"""A folder of files as shards of a manifest: models, tokenizers, documents.

The shard's kind is ``file/RELATIVE/PATH``, so the folder can be laid out again anywhere, verified by hash.
"""

from collections.abc import Iterable
from pathlib import Path

from clsp.errors import MEND, DataError
from clsp.hashing import digest_file
from clsp.storage.manifest import Shard
from clsp.storage.objects import ObjectStore

_KIND = "file/"


def save_files(store: ObjectStore, folder: Path) -> tuple[Shard, ...]:
    """Write every file under ``folder`` under the hash of its content, in path order."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple(_save(store, path, path.relative_to(folder).as_posix()) for path in paths)


def _save(store: ObjectStore, path: Path, name: str) -> Shard:
    sha256 = digest_file(path)
    key = f"shards/files/{sha256}{path.suffix}"
    store.put_file(key, path)
    return Shard(key=key, kind=f"{_KIND}{name}", sha256=sha256, rows=0, bytes=path.stat().st_size)


def fetch_files(store: ObjectStore, shards: Iterable[Shard], folder: Path) -> Path:
    """Lay the files among ``shards`` out under ``folder``, verify each, and return ``folder``."""
    for shard in shards:
        if shard.kind.startswith(_KIND):
            path = folder / shard.kind.removeprefix(_KIND)
            if not path.resolve().is_relative_to(folder.resolve()):
                raise DataError(f"file {shard.kind!r} leaves its folder", hint="the manifest was altered")
            path.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(shard.key, path)
            if digest_file(path) != shard.sha256:
                raise DataError(f"{shard.key} was altered", hint=MEND)
    return folder

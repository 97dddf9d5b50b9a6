"""What stage 1 starts from: weights and a tokenizer made elsewhere, fetched to this machine and named by their content.

A path says nothing about what lies there, so the recipe of stage 1 holds the hash of what was found: other weights
under the same path are another stage 1, the same weights elsewhere are the same.
"""

from dataclasses import dataclass
from pathlib import Path

from clsp.config import TrainSettings
from clsp.errors import ConfigError
from clsp.hashing import digest_file, digest_of
from clsp.registry import VERSION_FILE, fetch, parse_uri, resolve
from clsp.storage import open_store

_CONTENT = {".safetensors", ".json", ".txt", ".pt"}


@dataclass(frozen=True)
class Initial:
    """Folders or files on this machine; None where the settings name none."""

    model: Path | None = None
    text: Path | None = None
    tokenizer: Path | None = None

    @property
    def weights(self) -> Path | None:
        """Where the reading begins: the model, or a text tower alone; None for fresh weights."""
        return self.model or self.text

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of the content of each part that there is."""
        parts = {"model": self.model, "text": self.text, "tokenizer": self.tokenizer}
        return {name: _hash(path) for name, path in parts.items() if path}


def fetch_initial(settings: TrainSettings, scratch: Path) -> Initial:
    """Find what ``settings`` name, fetching into ``scratch`` what is not on this machine; ConfigError if it is nowhere.

    A place is a local path, ``STORE/models/NAME@ALIAS``, or a folder or ``.pt`` file of an ``s3://`` store.
    """
    places = {"model": settings.initial.model, "text": settings.initial.text, "tokenizer": settings.tokenizer}
    return Initial(**{name: _found(place, scratch / name) for name, place in places.items() if place})


def _found(place: str, folder: Path) -> Path:
    local = Path(place.removeprefix("file://"))
    if local.exists():
        return local
    if parsed := parse_uri(place):
        store = open_store(parsed[0])
        return fetch(store, resolve(store, parsed[1]), folder)
    if not place.startswith("s3://"):
        raise ConfigError(f"there is nothing at {place!r}", hint="train.initial and train.tokenizer must name a place")
    root, _, name = place.rstrip("/").rpartition("/") if place.endswith(".pt") else (place, "", "")
    store = open_store(root)
    keys = [key for key in store.list("") if "/" not in key and name in ("", key)]
    if not keys:
        raise ConfigError(f"there is nothing at {place!r}", hint="train.initial and train.tokenizer must name a place")
    folder.mkdir(parents=True)
    for key in keys:
        store.get_file(key, folder / key)
    return folder / name


def _hash(path: Path) -> str:
    files = [path] if path.is_file() else sorted(path.iterdir())
    content = {file.name: digest_file(file) for file in files if file.suffix in _CONTENT and file.name != VERSION_FILE}
    return digest_of(content)

"""Version directories: ``models/NAME/VERSION/`` holds a servable model and everything known about it, for good.

VERSION is the hash of the content, so publishing the same model twice is one version, and what was fetched can be
checked against its own name. ``version.json`` is written last: without it there is no version, only garbage.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from clsp.errors import ModelError
from clsp.hashing import canonical_json, digest_file, digest_of
from clsp.records import ModelVersion
from clsp.registry.aliases import current_alias
from clsp.registry.references import FOLDER, ModelReference, checked_name, parse_reference, version_prefix
from clsp.storage.objects import ObjectStore

VERSION_FILE = "version.json"
_DIGITS = 12


class FileEntry(BaseModel):
    """One file of a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    bytes: int


class VersionDocument(BaseModel):
    """``version.json``: the files, the licences of the training data (clips by licence), the manifests it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    files: dict[str, FileEntry]
    licences: dict[str, int]
    manifests: dict[str, str]

    @property
    def sha256(self) -> str:
        """Hash of everything the version is made of; its name does not count."""
        return digest_of(self.model_dump(mode="json", exclude={"name"}))

    @property
    def version(self) -> str:
        """The first digits of the hash."""
        return self.sha256[:_DIGITS]

    def identity(self, uri: str) -> ModelVersion:
        """The row that says which version this is; ``manifest`` is that of the weights."""
        return ModelVersion(self.name, self.version, uri, self.sha256, self.manifests.get("model", ""))


def publish(
    store: ObjectStore, name: str, folder: Path, *, licences: dict[str, int], manifests: dict[str, str]
) -> ModelVersion:
    """Make a version of the files in ``folder`` (put once); ``manifests["model"]`` names the trained weights."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != VERSION_FILE)
    files = {path.relative_to(folder).as_posix(): _entry(path) for path in paths}
    document = VersionDocument(name=checked_name("name", name), files=files, licences=licences, manifests=manifests)
    prefix = version_prefix(name, document.version)
    for file in files:
        store.put_file(f"{prefix}/{file}", folder / file)
    store.put_if_absent(f"{prefix}/{VERSION_FILE}", canonical_json(document.model_dump(mode="json")))
    return document.identity(f"{store.uri}/{prefix}")


def resolve(store: ObjectStore, reference: str) -> ModelVersion:
    """The version that ``NAME@ALIAS``, ``NAME/VERSION`` or ``NAME/ALIAS`` names; ``ModelError`` if there is none."""
    wanted = parse_reference(reference)
    version = _version_of(store, wanted)
    document = read_document(store, wanted.name, version)
    return document.identity(f"{store.uri}/{version_prefix(wanted.name, version)}")


def read_document(store: ObjectStore, name: str, version: str) -> VersionDocument:
    """``version.json`` of a version, checked against the version's own name."""
    key = f"{version_prefix(name, version)}/{VERSION_FILE}"
    if not store.exists(key):
        raise ModelError(f"no version {version!r} of model {name!r} in this store", hint=_known(store, name))
    return parse_document(store.get(key), version)


def parse_document(data: bytes, version: str) -> VersionDocument:
    """Read ``version.json`` and check that it still hashes to ``version`` ('' skips that)."""
    try:
        document = VersionDocument.model_validate_json(data)
    except ValidationError as error:
        raise ModelError(f"{VERSION_FILE} of {version!r} is damaged", hint="register the model again") from error
    if version and document.version != version:
        raise ModelError(f"version {version!r} was altered", hint="register the model again")
    return document


def fetch(store: ObjectStore, version: ModelVersion, folder: Path) -> Path:
    """Copy a version into ``folder``, check each file against its hash, and return ``folder``."""
    document = read_document(store, version.name, version.version)
    folder.mkdir(parents=True, exist_ok=True)
    prefix = version_prefix(version.name, version.version)
    for name in document.files:
        path = folder / name
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ModelError(f"file {name!r} leaves its version", hint="register the model again")
        path.parent.mkdir(parents=True, exist_ok=True)
        store.get_file(f"{prefix}/{name}", path)
    (folder / VERSION_FILE).write_bytes(canonical_json(document.model_dump(mode="json")))
    verify(folder, document)
    return folder


def verify(folder: Path, document: VersionDocument) -> None:
    """``ModelError`` naming each file of a version directory that is missing or altered."""
    wrong = [
        name
        for name, entry in document.files.items()
        if not (folder / name).is_file() or digest_file(folder / name) != entry.sha256
    ]
    if wrong:
        raise ModelError(
            f"version {document.version} is not what was registered: {', '.join(wrong)}",
            hint="fetch the version again; if that fails, register the model again",
        )


def versions(store: ObjectStore, name: str) -> list[str]:
    """The versions of a model, sorted by their hash."""
    prefix = f"{FOLDER}/{checked_name('name', name)}/"
    return [key.split("/")[-2] for key in store.list(prefix) if key.endswith(f"/{VERSION_FILE}")]


def _version_of(store: ObjectStore, wanted: ModelReference) -> str:
    if not wanted.is_alias and store.exists(f"{version_prefix(wanted.name, wanted.label)}/{VERSION_FILE}"):
        return wanted.label
    version = current_alias(store, wanted.name, wanted.label)
    if version is None:
        kind = "alias" if wanted.is_alias else "version or alias"
        raise ModelError(f"model {wanted.name!r} has no {kind} {wanted.label!r}", hint=_known(store, wanted.name))
    return version


def _known(store: ObjectStore, name: str) -> str:
    known = versions(store, name)
    return f"it has the versions {', '.join(known[:5])}" if known else "no version of it was ever registered"


def _entry(path: Path) -> FileEntry:
    return FileEntry(sha256=digest_file(path), bytes=path.stat().st_size)

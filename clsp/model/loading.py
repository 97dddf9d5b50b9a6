"""``clsp.load_model``: from wherever a model is to one that embeds.

A version in a store, a directory in the published layout and a training checkpoint differ only in where the bytes are
and what vouches for them; from here on they are the same object.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from clsp.config.serving import ServeSettings
from clsp.errors import ModelError
from clsp.hashing import digest_file, digest_of
from clsp.logs import get_logger
from clsp.model.building import build_towers
from clsp.model.directory import CONFIG_FILE, WEIGHTS_FILE
from clsp.model.dual_encoder import DualEncoder
from clsp.model.embedding import EmbeddingModel
from clsp.model.sources import UNNEEDED, Source, read_source
from clsp.model.tokens import TOKENIZER_FILE, TextTokenizer, longest_text, read_tokenizer
from clsp.records import ModelVersion
from clsp.registry.references import parse_uri
from clsp.registry.style_reference import read_reference
from clsp.registry.versions import VERSION_FILE, fetch, parse_document, resolve, verify
from clsp.storage import ObjectStore, open_store

log = get_logger(__name__)


def load_model(path_or_uri: str | Path, device: str = "cpu", dtype: str = "float32") -> EmbeddingModel:
    """Load a model for embedding (design section 4).

    ``path_or_uri``: a version directory; a directory of config.json + model.safetensors in the published naming; an
    icefall ``.pt`` (with its config.json beside it, or of the published size); a SPEAR directory, whose speech then
    passes heads that start from a seed; a RoBERTa directory; ``STORE/models/NAME/VERSION`` or ``…/NAME@ALIAS`` with
    a ``file://`` or ``s3://`` store. ``dtype``: float32, bfloat16 or float16.
    Raises ``ModelError``, whose message lists what is missing, unexpected or of another shape.
    """
    return load_for_serving(path_or_uri, device, dtype, ServeSettings())


def load_for_serving(path_or_uri: str | Path, device: str, dtype: str, settings: ServeSettings) -> EmbeddingModel:
    """``load_model`` with the batch budgets of ``settings``, and only the tower that they ask for."""
    with local_model(str(path_or_uri)) as local:
        return _load_local(local, device, dtype, settings)


@contextmanager
def local_model(path_or_uri: str) -> Iterator[Path]:
    """Where a model lies on this machine; a registered version is fetched and verified, and kept until the end."""
    match _locate(path_or_uri):
        case Path() as local:
            yield local
        case store, reference:
            with tempfile.TemporaryDirectory(prefix="clsp-model-") as folder:
                yield fetch(store, resolve(store, reference), Path(folder))


def version_mark(path_or_uri: str) -> str:
    """What changes when the name comes to mean another version: cheap to ask, so that a server can ask often.

    The hash of the version that an alias points to; sizes and times of the files of a directory.
    """
    match _locate(path_or_uri):
        case Path() as local:
            files = sorted(local.glob("*")) if local.is_dir() else [local]
            stamps = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files]
            return digest_of(stamps)
        case store, reference:
            return resolve(store, reference).sha256


def _locate(path_or_uri: str) -> Path | tuple[ObjectStore, str]:
    """A path on this machine, or a store and the reference in it; ``ModelError`` when there is neither."""
    local = _local_path(path_or_uri)
    if local is not None and local.exists():
        return local
    parsed = parse_uri(path_or_uri)
    if parsed is None or (local is not None and not _local_path(parsed[0], must_exist=True)):
        raise ModelError(
            f"there is no model at {path_or_uri!r}",
            hint="give a model directory, an icefall .pt, or STORE/models/NAME/VERSION (or NAME@ALIAS)",
        )
    return open_store(parsed[0]), parsed[1]


def _load_local(path: Path, device: str, dtype: str, settings: ServeSettings) -> EmbeddingModel:
    source = read_source(path)
    identity = _identify(source)
    towers = build_towers(source, device, dtype, without=UNNEEDED[settings.tower])
    if source.untrained:
        log.warning(
            "model_untrained",
            modules=sorted(source.untrained),
            hint="these parts were never trained: what passes them means nothing yet; train them (train.initial)",
        )
    model = EmbeddingModel(
        towers,
        _tokenizer(source, towers) if settings.tower != "speech" else None,
        identity,
        budgets=settings.budgets(device),
        absent=source.absent,
        tower=settings.tower,
        reference=read_reference(source.folder),
        compiled=settings.compiled,
    )
    model.compile_ahead(settings)
    return model


def _tokenizer(source: Source, towers: DualEncoder) -> TextTokenizer | None:
    return read_tokenizer(source.folder, longest_text(source.config), int(towers.text_encoder.config.vocab_size))  # type: ignore[union-attr, arg-type]


def _identify(source: Source) -> ModelVersion:
    """Who vouches for these bytes: their ``version.json``, which must agree with them, or their own hash."""
    folder = source.folder
    if (folder / VERSION_FILE).is_file() and source.file.name == WEIGHTS_FILE:
        document = parse_document((folder / VERSION_FILE).read_bytes(), "")
        verify(folder, document)
        return document.identity(str(folder))
    files = (source.file, folder / CONFIG_FILE, folder / TOKENIZER_FILE)
    sha256 = digest_of({path.name: digest_file(path) for path in files if path.is_file()})
    return ModelVersion(folder.name or "model", sha256[:12], str(folder), sha256, "")


def _local_path(uri: str, *, must_exist: bool = False) -> Path | None:
    """The path that a plain or ``file://`` name means; None for another scheme (or when it must exist and does not)."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri)
    return path if path.exists() or not must_exist else None

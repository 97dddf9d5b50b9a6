"""``clsp.load_model``: from wherever a model is to one that embeds.

A version in a store, a directory in the published layout and a training checkpoint differ only in where the bytes are
and what vouches for them; from here on they are the same object.
"""

import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import torch

from clsp.config.serving import ServeSettings
from clsp.errors import ModelError
from clsp.hashing import digest_file, digest_of
from clsp.model.config import ModelConfig
from clsp.model.directory import CONFIG_FILE, WEIGHTS_FILE, load_checkpoint, load_weights, read_config
from clsp.model.dual_encoder import DualEncoder
from clsp.model.embedding import EmbeddingModel
from clsp.model.presets import preset
from clsp.model.tokens import read_tokenizer
from clsp.records import ModelVersion
from clsp.registry.references import parse_uri
from clsp.registry.versions import VERSION_FILE, fetch, parse_document, resolve, verify
from clsp.storage import open_store

PUBLISHED = "clsp-xlarge"
_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_POSITION_OFFSET = 2  # RoBERTa's first position is after its padding index


def load_model(path_or_uri: str | Path, device: str = "cpu", dtype: str = "float32") -> EmbeddingModel:
    """Load a model for embedding (design section 4).

    ``path_or_uri``: a version directory; a directory of config.json + model.safetensors in the published naming; an
    icefall ``.pt`` (with its config.json beside it, or of the published size); ``STORE/models/NAME/VERSION`` or
    ``…/NAME@ALIAS`` with a ``file://`` or ``s3://`` store. ``dtype``: float32, bfloat16 or float16.
    Raises ``ModelError``, whose message lists what is missing, unexpected or of another shape.
    """
    return load_for_serving(path_or_uri, device, dtype, ServeSettings())


def load_for_serving(path_or_uri: str | Path, device: str, dtype: str, settings: ServeSettings) -> EmbeddingModel:
    """``load_model`` with the batch budgets of ``settings``."""
    local = _local_path(str(path_or_uri))
    if local is not None and local.exists():
        return _load_local(local, device, dtype, settings)
    parsed = parse_uri(str(path_or_uri))
    if parsed is None or (local is not None and not _local_path(parsed[0], must_exist=True)):
        raise ModelError(
            f"there is no model at {str(path_or_uri)!r}",
            hint="give a model directory, an icefall .pt, or STORE/models/NAME/VERSION (or NAME@ALIAS)",
        )
    store = open_store(parsed[0])
    with tempfile.TemporaryDirectory(prefix="clsp-model-") as folder:
        return _load_local(fetch(store, resolve(store, parsed[1]), Path(folder)), device, dtype, settings)


def _load_local(path: Path, device: str, dtype: str, settings: ServeSettings) -> EmbeddingModel:
    folder, weights = _parts(path)
    identity = _identify(folder, weights)
    config = read_config(folder) if (folder / CONFIG_FILE).is_file() else _published_shape(weights)
    towers = DualEncoder(config)
    if weights.suffix == ".pt":
        load_checkpoint(towers, weights)
    else:
        load_weights(towers, folder)
    limit = int(config.text.get("max_position_embeddings", 512)) - _POSITION_OFFSET
    tokenizer = read_tokenizer(folder, limit, int(towers.text_encoder.config.vocab_size))  # type: ignore[union-attr, arg-type]
    return EmbeddingModel(
        _placed(towers, device, dtype),
        tokenizer,
        identity,
        batch_seconds=settings.batch_seconds,
        batch_tokens=settings.batch_tokens,
    )


def _parts(path: Path) -> tuple[Path, Path]:
    """The folder of a model and its file of weights."""
    if path.is_file():
        return path.parent, path
    checkpoints = sorted(path.glob("*.pt"))
    if (path / WEIGHTS_FILE).is_file() or len(checkpoints) != 1:
        return path, path / WEIGHTS_FILE
    return path, checkpoints[0]


def _identify(folder: Path, weights: Path) -> ModelVersion:
    """Who vouches for these bytes: their ``version.json``, which must agree with them, or their own hash."""
    if (folder / VERSION_FILE).is_file() and weights.name == WEIGHTS_FILE:
        document = parse_document((folder / VERSION_FILE).read_bytes(), "")
        verify(folder, document)
        return document.identity(str(folder))
    files = (weights, folder / CONFIG_FILE, folder / "tokenizer.json")
    sha256 = digest_of({path.name: digest_file(path) for path in files if path.is_file()})
    return ModelVersion(folder.name or "model", sha256[:12], str(folder), sha256, "")


def _published_shape(weights: Path) -> ModelConfig:
    if weights.suffix == ".pt":
        return preset(PUBLISHED)
    raise ModelError(f"no {CONFIG_FILE} in {weights.parent.name!r}", hint="give a model directory with its config.json")


def _placed(towers: DualEncoder, device: str, dtype: str) -> DualEncoder:
    if dtype not in _PRECISIONS:
        raise ModelError(f"unknown dtype {dtype!r}", hint=f"choose one of {', '.join(_PRECISIONS)}")
    try:
        return towers.to(device=torch.device(device), dtype=_PRECISIONS[dtype])
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"cannot use device {device!r}", hint="use cpu, or a device this machine has") from error


def _local_path(uri: str, *, must_exist: bool = False) -> Path | None:
    """The path that a plain or ``file://`` name means; None for another scheme (or when it must exist and does not)."""
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return None
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri)
    return path if path.exists() or not must_exist else None

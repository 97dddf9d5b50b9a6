"""From weights in memory to a directory that can be served: the published layout with its tokenizer.

``clsp.load_model`` reads what is written here, and so does any program that knows the published naming.
"""

import math
import shutil
import tempfile
from pathlib import Path

from safetensors import safe_open
from torch import nn

from clsp.errors import ModelError
from clsp.model.config import ModelConfig
from clsp.model.directory import WEIGHTS_FILE, load_weights, save_model
from clsp.model.importing import import_model
from clsp.model.tokens import copy_tokenizer
from clsp.registry import VERSION_FILE, fetch, parse_uri, resolve
from clsp.registry.versions import parse_document, verify
from clsp.storage import open_store

__all__ = ["count_parameters", "export_model", "load_weights", "save_model", "save_model_directory"]


def save_model_directory(model: nn.Module, config: ModelConfig, tokenizer_dir: Path | None, out: Path) -> Path:
    """Write a servable directory to ``out`` and return it; the tokenizer's files are copied beside the weights."""
    if tokenizer_dir is not None and not tokenizer_dir.is_dir():
        raise ModelError(
            f"no tokenizer folder {tokenizer_dir.name!r}", hint="give the folder that holds tokenizer.json"
        )
    save_model(out, model, config)
    if tokenizer_dir is not None:
        copy_tokenizer(tokenizer_dir, out)
    return out


def export_model(place: str, out: Path) -> Path:
    """Write a model to ``out`` in the published layout and return ``out``, which appears whole or not at all.

    ``place``: ``STORE/models/NAME/VERSION`` or ``NAME@ALIAS``, copied and verified; or any model on disk.
    ``ModelError`` when ``out`` exists already or there is no such model.
    """
    local, parsed = Path(place), parse_uri(place)
    if local.exists() and not (local / VERSION_FILE).is_file():
        import_model(local, out)
        return out
    if not local.exists() and parsed is None:
        raise ModelError(
            f"there is no model at {place!r}", hint="give STORE/models/NAME/VERSION (or NAME@ALIAS), or a folder"
        )
    if out.exists():
        raise ModelError(f"{out.name!r} exists already", hint="name a folder that does not exist yet")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        copy = Path(scratch) / "model"
        if parsed is None or local.exists():
            verify(shutil.copytree(local, copy), parse_document((local / VERSION_FILE).read_bytes(), ""))
        else:
            store = open_store(parsed[0])
            fetch(store, resolve(store, parsed[1]), copy)
        copy.rename(out)
    return out


def count_parameters(folder: Path) -> int:
    """Numbers in the weights of a model directory, read from the header alone."""
    with safe_open(folder / WEIGHTS_FILE, framework="pt") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118

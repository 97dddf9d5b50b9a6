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
from clsp.model.directory import CONFIG_FILE, WEIGHTS_FILE, load_weights, save_model
from clsp.registry import VERSION_FILE, fetch, parse_uri, resolve
from clsp.storage import open_store

__all__ = ["count_parameters", "export_version", "load_weights", "save_model", "save_model_directory"]

_NOT_TOKENIZER = frozenset({CONFIG_FILE, WEIGHTS_FILE, "README.md", "evaluation.json", VERSION_FILE})


def save_model_directory(model: nn.Module, config: ModelConfig, tokenizer_dir: Path | None, out: Path) -> Path:
    """Write a servable directory to ``out`` and return it; the tokenizer's files are copied beside the weights."""
    if tokenizer_dir is not None and not tokenizer_dir.is_dir():
        raise ModelError(
            f"no tokenizer folder {tokenizer_dir.name!r}", hint="give the folder that holds tokenizer.json"
        )
    save_model(out, model, config)
    for path in sorted(tokenizer_dir.iterdir()) if tokenizer_dir else ():
        if path.is_file() and path.name not in _NOT_TOKENIZER:
            shutil.copyfile(path, out / path.name)
    return out


def export_version(uri: str, out: Path) -> Path:
    """Copy ``STORE/models/NAME/VERSION`` (or ``NAME@ALIAS``), verified, to ``out`` in the published layout.

    The directory appears whole; ``ModelError`` when ``out`` exists already or the version does not.
    """
    parsed = parse_uri(uri)
    if parsed is None:
        raise ModelError(f"{uri!r} names no registered version", hint="give STORE/models/NAME/VERSION or NAME@ALIAS")
    if out.exists():
        raise ModelError(f"{out.name!r} exists already", hint="name a folder that does not exist yet")
    store = open_store(parsed[0])
    version = resolve(store, parsed[1])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        fetch(store, version, Path(scratch) / "model").rename(out)
    return out


def count_parameters(folder: Path) -> int:
    """Numbers in the weights of a model directory, read from the header alone."""
    with safe_open(folder / WEIGHTS_FILE, framework="pt") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118

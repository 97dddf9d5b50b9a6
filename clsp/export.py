"""From weights in memory to a directory that can be served: the published layout with its tokenizer.

``clsp.load_model`` reads what is written here, and so does any program that knows the published naming.
"""

import shutil
from pathlib import Path

from torch import nn

from clsp.errors import ModelError
from clsp.model.config import ModelConfig
from clsp.model.directory import CONFIG_FILE, WEIGHTS_FILE, load_weights, save_model

__all__ = ["load_weights", "save_model", "save_model_directory"]

_NOT_TOKENIZER = frozenset({CONFIG_FILE, WEIGHTS_FILE, "README.md", "version.json", "evaluation.json"})


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

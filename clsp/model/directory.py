"""The model directory: ``config.json`` + ``model.safetensors`` in the published naming (reference 1.3).

One reader and one writer, so that a checkpoint of training, a registered version and a model from elsewhere are all
loaded by the same strict comparison of names and shapes.
"""

from collections.abc import Collection
from pathlib import Path

import orjson
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from clsp.errors import ModelError
from clsp.hashing import canonical_json
from clsp.model.config import ModelConfig
from clsp.model.weights import Weights, copy_weights

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
UNTRAINED_FILE = "untrained.json"  # modules whose weights are only where they start; no file: there are none
PREFIX = "model."


def save_model(folder: Path, model: nn.Module, config: ModelConfig, untrained: Collection[str] = ()) -> None:
    """Write ``config.json``, ``model.safetensors`` and which modules are ``untrained``; equal weights, equal bytes.

    Each file appears whole or not at all, so a writer killed half-way leaves the older file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"{PREFIX}{name}": _plain(value) for name, value in model.state_dict().items()}
    aside = folder / f".{WEIGHTS_FILE}.partial"
    try:
        save_file(state, aside, metadata={"format": "pt"})
    except SafetensorError as error:
        aside.unlink(missing_ok=True)
        raise ModelError(f"cannot write {WEIGHTS_FILE}: {error}", hint="free space or choose another folder") from error
    aside.replace(folder / WEIGHTS_FILE)
    document = folder / f".{CONFIG_FILE}.partial"
    document.write_bytes(canonical_json(config.model_dump(mode="json")))
    document.replace(folder / CONFIG_FILE)
    (folder / UNTRAINED_FILE).unlink(missing_ok=True)
    if untrained:
        (folder / UNTRAINED_FILE).write_bytes(canonical_json(sorted(untrained)))


def read_config(folder: Path) -> ModelConfig:
    """The shape that ``config.json`` of a model directory describes; ``ModelError`` names every wrong field."""
    try:
        values = orjson.loads((folder / CONFIG_FILE).read_bytes())
        return ModelConfig.from_published(values)
    except OSError as error:
        raise ModelError(f"no readable {CONFIG_FILE} in {folder.name!r}", hint="give a model directory") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ModelError(f"{CONFIG_FILE} is refused: {problems}", hint="see clsp/model/config.py") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{CONFIG_FILE} is refused: {error}", hint="see clsp/model/config.py") from error


def read_untrained(folder: Path) -> frozenset[str]:
    """Modules of a model directory that were never trained."""
    path = folder / UNTRAINED_FILE
    try:
        return frozenset(map(str, orjson.loads(path.read_bytes()))) if path.is_file() else frozenset()
    except (ValueError, TypeError) as error:
        raise ModelError(f"{UNTRAINED_FILE} of {folder.name!r} is damaged", hint="import the model again") from error


def read_weights(folder: Path) -> Weights:
    """The tensors of ``model.safetensors`` by their stored names; they stay on disk until used."""
    try:
        return load_file(folder / WEIGHTS_FILE)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"cannot read {WEIGHTS_FILE}: {error}", hint="the file is missing or damaged; export the model again"
        ) from error


def load_weights(model: nn.Module, folder: Path) -> None:
    """Copy the weights of a model directory into ``model``; ``ModelError`` lists every name that does not fit."""
    copy_weights(model, {name.removeprefix(PREFIX): value for name, value in read_weights(folder).items()})


def _plain(value: Tensor) -> Tensor:
    return value.detach().to("cpu").contiguous().clone()

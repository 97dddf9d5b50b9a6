"""The model directory: ``config.json`` + ``model.safetensors`` in the published naming (reference 1.3).

One reader and one writer, so that a checkpoint of training, a registered version and a model from elsewhere are all
loaded by the same strict comparison of names and shapes.
"""

from collections.abc import Mapping
from pathlib import Path

import orjson
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from clsp.errors import ModelError
from clsp.hashing import canonical_json
from clsp.model.config import ModelConfig

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
PREFIX = "model."
_LISTED = 8


def save_model(folder: Path, model: nn.Module, config: ModelConfig) -> None:
    """Write ``config.json`` and ``model.safetensors``; equal weights give equal bytes.

    Each file appears whole or not at all, so a writer killed half-way leaves the older file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {f"{PREFIX}{name}": _plain(value) for name, value in model.state_dict().items()}
    aside = folder / f".{WEIGHTS_FILE}.partial"
    save_file(state, aside, metadata={"format": "pt"})
    aside.replace(folder / WEIGHTS_FILE)
    document = folder / f".{CONFIG_FILE}.partial"
    document.write_bytes(canonical_json(config.model_dump(mode="json")))
    document.replace(folder / CONFIG_FILE)


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


def load_weights(model: nn.Module, folder: Path) -> None:
    """Copy the weights of a model directory into ``model``; ``ModelError`` lists every name that does not fit."""
    path = folder / WEIGHTS_FILE
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(
            f"cannot read {WEIGHTS_FILE}: {error}", hint="the file is missing or damaged; export the model again"
        ) from error
    assign_weights(model, {name.removeprefix(PREFIX): value for name, value in stored.items()})


def load_checkpoint(model: nn.Module, path: Path) -> None:
    """Copy the weights of an icefall training checkpoint (key ``model``, no prefix) into ``model``."""
    try:
        document = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:
        raise ModelError(
            f"cannot read the checkpoint {path.name}: {type(error).__name__}",
            hint="give a .pt file of tensors and numbers written by icefall; nothing else is unpickled",
        ) from error
    if not (isinstance(document, Mapping) and isinstance(document.get("model"), Mapping)):
        raise ModelError(f"{path.name} holds no key 'model'", hint="give a training checkpoint, not an optimiser state")
    assign_weights(model, document["model"])


def assign_weights(model: nn.Module, stored: Mapping[str, Tensor]) -> None:
    """Copy ``stored`` (names without prefix) into ``model`` when names and shapes agree exactly."""
    stored = {name: value for name, value in stored.items() if not name.endswith("position_ids")}
    wanted = {name: value for name, value in model.state_dict().items() if not name.endswith("position_ids")}
    common = wanted.keys() & stored.keys()
    problems = {
        "missing": sorted(wanted.keys() - stored.keys()),
        "unexpected": sorted(stored.keys() - wanted.keys()),
        "of another shape": sorted(
            f"{name} {tuple(stored[name].shape)}, not {tuple(wanted[name].shape)}"
            for name in common
            if stored[name].shape != wanted[name].shape
        ),
    }
    if any(problems.values()):
        raise ModelError(
            "the weights do not fit config.json: " + "; ".join(_listed(*item) for item in problems.items() if item[1]),
            hint="use the config.json that was saved with these weights, in the published naming (prefix 'model.')",
        )
    model.load_state_dict(dict(stored), strict=False)


def _listed(problem: str, names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"{len(names)} {problem}: {', '.join(names[:_LISTED])}{more}"


def _plain(value: Tensor) -> Tensor:
    return value.detach().to("cpu").contiguous().clone()

"""Where weights come from: the layouts that people have, all read into one shape.

A CLSP directory, an icefall checkpoint, a SPEAR directory (speech tower only) and a RoBERTa directory (text tower
only) differ in prefixes and in what they hold; from here on they are named weights and the parts still to be made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import orjson
import torch
from torch import Tensor

from clsp.errors import ModelError
from clsp.model.config import ModelConfig
from clsp.model.directory import CONFIG_FILE, PREFIX, WEIGHTS_FILE, read_config, read_untrained, read_weights
from clsp.model.icefall import read_icefall
from clsp.model.presets import preset
from clsp.model.text_config import text_shape
from clsp.model.weights import Weights, belongs

PUBLISHED = "clsp-xlarge"
SPEECH_TOWER = frozenset({"encoder_embed", "encoder"})
TEXT_TOWER = frozenset({"text_encoder"})
_SPEECH_HEADS = frozenset({"audio_projection", "audio_transform"})
_TEXT_HEADS = frozenset({"text_projection", "text_transform"})
HEADS = _SPEECH_HEADS | _TEXT_HEADS | {"logit_scale"}
UNNEEDED = {"speech": TEXT_TOWER | _TEXT_HEADS, "text": SPEECH_TOWER | _SPEECH_HEADS, "both": frozenset[str]()}
_SPEAR_PREFIX = "model.model."
_MASK_VECTOR = "mask_emb"
_OUTPUT_WEIGHTS = "encoder.downsample_output.bias"
_POOLER = "text_encoder.pooler"

Kind = Literal["clsp", "icefall", "spear", "roberta"]


@dataclass(frozen=True)
class Source:
    """Weights under the names of reference 1.3; ``absent`` are the modules that the source does not bring.

    ``started`` are those that it brings, but as they were before any training.
    """

    kind: Kind
    folder: Path
    file: Path
    config: ModelConfig
    weights: Weights
    absent: frozenset[str] = frozenset()
    started: frozenset[str] = frozenset()

    @property
    def untrained(self) -> frozenset[str]:
        """Modules that have to be trained before their outputs mean anything."""
        return self.absent | self.started


def read_source(path: Path, shape: ModelConfig | None = None, *, averaged: bool = False) -> Source:
    """Recognise and read a model on disk; tensors stay there until used.

    ``shape`` stands in for a config.json that is not there (icefall, RoBERTa). ``averaged`` takes the running
    average of an icefall checkpoint. ``ModelError`` says what is missing or not understood.
    """
    file = _weights_file(path)
    if file.suffix == ".pt":
        return _icefall(file, shape, averaged=averaged)
    if averaged:
        raise ModelError(f"{path.name!r} holds no running average", hint="only icefall checkpoints (.pt) do")
    stored = read_weights(path)
    if any(name.startswith(_SPEAR_PREFIX) for name in stored):
        return _spear(path, stored)
    if any(name.startswith(("roberta.", "embeddings.")) for name in stored):
        return _roberta(path, stored, shape)
    weights = {name.removeprefix(PREFIX): value for name, value in stored.items()}
    return Source("clsp", path, file, read_config(path), weights, started=read_untrained(path))


def with_text_tower(source: Source, text: Source) -> Source:
    """``source`` with the text tower of another, say a SPEAR speech tower with RoBERTa."""
    if text.absent & TEXT_TOWER:
        raise ModelError(f"{text.folder.name!r} brings no text tower", hint="give a RoBERTa or CLSP directory")
    kept = {name: value for name, value in source.weights.items() if not belongs(name, TEXT_TOWER)}
    brought = {name: value for name, value in text.weights.items() if belongs(name, TEXT_TOWER)}
    absent = {part for part in source.absent if not belongs(part, TEXT_TOWER)} | (text.absent & {_POOLER})
    config = source.config.model_copy(update={"text": text.config.text})
    started = {part for part in source.started if not belongs(part, TEXT_TOWER)} | {
        part for part in text.started if belongs(part, TEXT_TOWER)
    }
    return replace(source, config=config, weights=kept | brought, absent=frozenset(absent), started=frozenset(started))


def with_output_factor(source: Source, factor: int) -> Source:
    """``source`` with another output downsampling; its new weights are zeros, the plain mean (reference 2.3)."""
    weights = {name: value for name, value in source.weights.items() if name != _OUTPUT_WEIGHTS}
    if factor > 1:
        weights[_OUTPUT_WEIGHTS] = torch.zeros(factor)
    config = source.config.model_copy(update={"output_downsampling_factor": factor})
    return replace(source, config=config, weights=weights)


def _weights_file(path: Path) -> Path:
    """The file of weights: ``path`` itself, its model.safetensors, or the only checkpoint in it."""
    if path.is_file():
        if path.suffix != ".pt":
            raise ModelError(f"{path.name!r} is no model", hint=f"give the folder of {WEIGHTS_FILE}, or an icefall .pt")
        return path
    if (path / WEIGHTS_FILE).is_file():
        return path / WEIGHTS_FILE
    checkpoints = sorted(path.glob("*.pt"))
    if len(checkpoints) == 1:
        return checkpoints[0]
    if checkpoints:
        raise ModelError(f"{path.name!r} holds {len(checkpoints)} checkpoints", hint=f"name one, say {checkpoints[-1]}")
    raise ModelError(
        f"there is no {WEIGHTS_FILE} in {str(path)!r}",
        hint="give the folder of one; pickled or split weights are read once they were saved as that one file",
    )


def _icefall(file: Path, shape: ModelConfig | None, *, averaged: bool) -> Source:
    checkpoint = read_icefall(file)
    if averaged and checkpoint.average is None:
        raise ModelError(f"{file.name} holds no running average", hint="leave out the request for it")
    if shape is None:
        shape = read_config(file.parent) if (file.parent / CONFIG_FILE).is_file() else preset(PUBLISHED)
    chosen = checkpoint.average if averaged and checkpoint.average is not None else checkpoint.weights
    return Source("icefall", file.parent, file, shape, chosen)


def _spear(folder: Path, stored: Weights) -> Source:
    config = read_config(folder)
    weights = {name.removeprefix(_SPEAR_PREFIX): value for name, value in stored.items()}
    weights.pop(_MASK_VECTOR, None)
    source = Source("spear", folder, folder / WEIGHTS_FILE, config, weights, HEADS | TEXT_TOWER)
    factor = config.output_downsampling_factor
    return source if factor == 1 or _OUTPUT_WEIGHTS in weights else with_output_factor(source, factor)


def _roberta(folder: Path, stored: Weights, shape: ModelConfig | None) -> Source:
    """The text tower alone; a language-model head is dropped, and a pooler that was never trained is made."""
    bare = {name.removeprefix("roberta."): value for name, value in stored.items() if not belongs(name, {"lm_head"})}
    weights: dict[str, Tensor] = {f"text_encoder.{name}": value for name, value in bare.items()}
    config = (shape or preset("tiny")).model_copy(update={"text": _read_text_shape(folder)})
    absent = SPEECH_TOWER | HEADS
    if not any(belongs(name, {_POOLER}) for name in weights):
        absent |= {_POOLER}
    return Source("roberta", folder, folder / WEIGHTS_FILE, config, weights, absent)


def _read_text_shape(folder: Path) -> dict[str, Any]:
    try:
        values = orjson.loads((folder / CONFIG_FILE).read_bytes())
        if not isinstance(values, Mapping):
            raise TypeError("it is no JSON object")
        return text_shape(values)
    except (OSError, TypeError, ValueError) as error:
        raise ModelError(
            f"{CONFIG_FILE} of the RoBERTa in {folder.name!r} is refused: {error}", hint="give the model's own file"
        ) from error

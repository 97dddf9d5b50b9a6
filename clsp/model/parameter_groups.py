"""Learning rates by part: pre-trained towers move slowly while fresh heads move fast (reference 3.5)."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import nn

from clsp.errors import ConfigError
from clsp.model.dual_encoder import DualEncoder

TOWERS = {"speech": ("encoder_embed", "encoder"), "text": ("text_encoder",)}


def parameter_groups(model: DualEncoder, base_lr: float, scales: Mapping[str, float]) -> list[dict[str, Any]]:
    """Optimiser groups; a weight's rate is `base_lr` × the scales of the modules on its path, by their names.

    Equal rates form one group, because ScaledAdam clips group by group. Frozen tensors are left out.
    Raises ConfigError for a scale of a module that does not exist.
    """
    _refuse_unknown(model, scales)
    groups: dict[float, list[Any]] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            rate = base_lr
            for module in _path(name):
                rate *= scales.get(module, 1.0)
            groups.setdefault(rate, []).append(parameter)
    return [{"params": parameters, "lr": lr} for lr, parameters in groups.items()]


def freeze(model: DualEncoder, towers: tuple[str, ...]) -> None:
    """Let the named encoders ("speech", "text") keep their weights; their heads go on learning."""
    for module in frozen_modules(model, towers):
        module.requires_grad_(requires_grad=False)


def frozen_modules(model: DualEncoder, towers: tuple[str, ...]) -> list[nn.Module]:
    """The modules of the named encoders."""
    return [model.get_submodule(name) for tower in towers for name in TOWERS[tower]]


def _path(parameter: str) -> Iterator[str]:
    """Names of the modules that hold a parameter, outermost first, and its own."""
    parts = parameter.split(".")
    return (".".join(parts[:depth]) for depth in range(1, len(parts) + 1))


def _refuse_unknown(model: DualEncoder, scales: Mapping[str, float]) -> None:
    known = {module for name, _ in model.named_parameters() for module in _path(name)}
    if unknown := sorted(set(scales) - known):
        raise ConfigError(
            f"lr_scales names no part of the model: {', '.join(unknown)}",
            hint="give paths as in its weights, say encoder_embed, encoder.encoders.0, text_encoder",
        )

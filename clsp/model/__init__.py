"""The dual encoder: its shape, its modules and its published sizes."""

from clsp.model.config import ModelConfig, Regularisation
from clsp.model.dual_encoder import DualEncoder
from clsp.model.parameter_groups import TOWERS, freeze, frozen_modules, parameter_groups
from clsp.model.presets import PRESETS, preset

__all__ = [
    "PRESETS",
    "TOWERS",
    "DualEncoder",
    "ModelConfig",
    "Regularisation",
    "freeze",
    "frozen_modules",
    "parameter_groups",
    "preset",
]

"""The text tower: a RoBERTa whose pooler speaks for the caption, as in the code of the released model."""

from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import RobertaConfig, RobertaModel


def build_text_tower(config: Mapping[str, Any]) -> nn.Module:
    """RobertaModel with its pooler and fresh weights; `config` holds the fields of its own config.json."""
    tower: nn.Module = RobertaModel(RobertaConfig(**config), add_pooling_layer=True)
    return tower

"""The text tower: a RoBERTa whose pooler speaks for the caption, as in the code of the released model."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


def build_text_tower(config: Mapping[str, Any]) -> nn.Module:
    """RobertaModel with its pooler and fresh weights; `config` holds the fields of its own config.json."""
    from transformers import RobertaConfig, RobertaModel  # seconds; what only asks for a model's shape goes without

    tower: nn.Module = RobertaModel(RobertaConfig(**config), add_pooling_layer=True)
    return tower


def restore_buffers(tower: Any, device: torch.device) -> None:
    """Fill what no file of weights holds, after a tower was built on the meta device."""
    embeddings = tower.embeddings
    positions = torch.arange(tower.config.max_position_embeddings, device=device)[None]
    embeddings.position_ids = nn.Buffer(positions, persistent=False)
    embeddings.token_type_ids = nn.Buffer(torch.zeros_like(positions), persistent=False)


def checkpoint_text_layers(tower: Any, *, on: bool) -> None:
    """While training, keep only what enters each layer of a text tower."""
    if on:
        tower.activation_checkpointing_enable({"use_reentrant": False})
    elif tower.is_activation_checkpointing:
        tower.activation_checkpointing_disable()

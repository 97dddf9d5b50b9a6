"""The reference's small encoder with its fill rule (3.18), for whoever checks a module against it."""

import math

import torch
from torch import Tensor, nn

from clsp.model import DualEncoder, ModelConfig

TINY_TEXT = {
    "vocab_size": 50,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "type_vocab_size": 1,
}


def golden_config(**changes) -> ModelConfig:
    settings = {
        "num_mel_bins": 16,
        "downsampling_factor": "1,2,4",
        "num_encoder_layers": "1,2,1",
        "encoder_dim": "32,32,32",
        "encoder_unmasked_dim": "24",
        "num_heads": [4, 4, 4],
        "feedforward_dim": 64,
        "cnn_module_kernel": "7,5,5",
        "query_head_dim": "8",
        "pos_head_dim": 4,
        "value_head_dim": 4,
        "pos_dim": 12,
        "output_downsampling_factor": 2,
        "embedding_dim": 24,
        "text": TINY_TEXT,
    }
    return ModelConfig.model_validate(settings | changes)


def golden_model(**changes) -> DualEncoder:
    model = DualEncoder(golden_config(**changes)).eval()
    fill(model.encoder_embed)
    fill(model.encoder)
    return model


@torch.no_grad()
def fill(module: nn.Module) -> None:
    for k, (name, tensor) in enumerate(sorted(module.state_dict().items())):
        i = torch.arange(tensor.numel(), dtype=torch.float64).view(tensor.shape)
        tensor.copy_(scaled(name, tensor, torch.sin(0.1 * (i + 1) + k)))


def scaled(name: str, tensor: Tensor, v: Tensor) -> Tensor:
    if name.endswith("bypass_scale"):
        return 0.5 + 0.2 * v
    if name.endswith("log_scale"):
        return 0.3 * v
    if name.endswith("bias"):
        return 0.1 * v
    return v * 2 / math.sqrt(tensor.shape[1]) if tensor.ndim == 2 else 0.3 * v


def golden_input() -> tuple[Tensor, Tensor]:
    n = torch.arange(2 * 41 * 16, dtype=torch.float64)
    return (2 * torch.sin(0.37 * n) - 1).float().view(2, 41, 16), torch.tensor([41, 30])

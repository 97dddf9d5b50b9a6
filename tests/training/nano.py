"""A dual encoder of a few thousand weights, without anything random in its forward pass."""

import torch

from clsp.config import StageSettings
from clsp.model import DualEncoder, ModelConfig, Regularisation, freeze
from clsp.model.config import STILL
from clsp.training.objectives import Objective
from clsp.training.trainer import Trainer, make_optimiser
from clsp.training.world import World


def nano_config(vocabulary: int, regularisation: Regularisation = STILL, text_dropout: float = 0.0) -> ModelConfig:
    """Two one-layer stacks of 16 channels and a one-layer RoBERTa of 16."""
    return ModelConfig(
        downsampling_factor=(1, 2),
        num_encoder_layers=(1,),
        encoder_dim=(16,),
        encoder_unmasked_dim=(16,),
        num_heads=(2,),
        feedforward_dim=(32,),
        cnn_module_kernel=(5,),
        query_head_dim=(8,),
        embedding_dim=16,
        frontend_channels=(2, 2, 4),
        regularisation=regularisation,
        text={
            "vocab_size": vocabulary,
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 32,
            "max_position_embeddings": 64,
            "type_vocab_size": 1,
            "hidden_dropout_prob": text_dropout,
            "attention_probs_dropout_prob": text_dropout,
            "initializer_range": 0.2,
        },
    )


def nano_trainer(stage: str, settings: StageSettings, config: ModelConfig, world: World) -> Trainer:
    """A fresh trainer, the same on every process."""
    torch.manual_seed(settings.seed)
    model = DualEncoder(config)
    freeze(model, settings.freeze)
    optimiser, eden = make_optimiser(model, settings.optimiser)
    return Trainer(model, optimiser, eden, Objective(stage, settings), world)

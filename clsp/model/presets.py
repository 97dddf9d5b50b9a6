"""Named sizes, from one that trains on a laptop to the published one."""

from types import MappingProxyType

from clsp.errors import ConfigError
from clsp.model.config import STILL, ModelConfig
from clsp.model.text_config import ROBERTA_BASE


def _spear(dim: int, layers: tuple[int, ...], unmasked: int) -> ModelConfig:
    """The seven stacks that SPEAR and CLSP share (reference 1.2, 2.2)."""
    return ModelConfig(
        downsampling_factor=(1, 2, 4, 8, 4, 2, 1),
        num_encoder_layers=layers,
        encoder_dim=(dim,),
        encoder_unmasked_dim=(unmasked,),
        num_heads=(8,),
        feedforward_dim=(3 * dim,),
        cnn_module_kernel=(31, 31, 15, 15, 15, 31, 31),
        text=dict(ROBERTA_BASE),
    )


TINY = ModelConfig(
    downsampling_factor=(2, 4),
    num_encoder_layers=(1, 1),
    encoder_dim=(64,),
    encoder_unmasked_dim=(64,),
    num_heads=(4,),
    feedforward_dim=(128,),
    cnn_module_kernel=(15, 9),
    query_head_dim=(16,),
    embedding_dim=128,
    frontend_channels=(4, 8, 8),
    text={
        **ROBERTA_BASE,
        "vocab_size": 4096,
        "hidden_size": 96,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "intermediate_size": 192,
        "max_position_embeddings": 258,
        # RoBERTa's 0.02 suits 768 channels; at 96 it makes all captions alike and learning starts very late.
        "initializer_range": 0.1,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    },
    # In a run of minutes it underfits, and masks cost time; without them its loss is the same at any world size.
    regularisation=STILL,
)

# Layer counts of SPEAR-Base are not published; these meet its 93 M parameters.
PRESETS = MappingProxyType(
    {
        "tiny": TINY,
        "clsp-base": _spear(512, (1, 2, 3, 3, 1, 1, 1), 384),
        "clsp-large": _spear(1024, (1, 2, 2, 3, 1, 1, 1), 512),
        "clsp-xlarge": _spear(1280, (1, 2, 3, 4, 1, 1, 1), 768),
    }
)


def preset(name: str) -> ModelConfig:
    """The configuration of that name; ConfigError if there is none."""
    if name not in PRESETS:
        raise ConfigError(f"no model preset is named {name!r}", hint=f"choose one of {', '.join(PRESETS)}")
    return PRESETS[name]

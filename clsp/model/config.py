"""The shape of a dual encoder: what `config.json` of a model directory says.

One frozen description builds every module, so that a directory of weights can be understood without the code
that trained it. Values per stack may be lists, comma-joined strings (as published) or one value for all stacks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from clsp.config.base import Section
from clsp.model.text_config import ROBERTA_BASE, text_shape

PER_STACK = (
    "num_encoder_layers",
    "encoder_dim",
    "encoder_unmasked_dim",
    "num_heads",
    "feedforward_dim",
    "cnn_module_kernel",
    "query_head_dim",
    "pos_head_dim",
    "value_head_dim",
)
# Bookkeeping of other libraries in published config files; it describes no weights.
FOREIGN_KEYS = frozenset(
    {
        "_name_or_path",
        "architectures",
        "auto_map",
        "chunk_size",
        "dtype",
        "left_context_frames",
        "model_type",
        "torch_dtype",
        "transformers_version",
    }
)


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(value.split(","))
    return (value,) if isinstance(value, int) else value


def _single(value: object) -> object:
    """One value, also when it is spelled once for every stack."""
    parts = _split(value)
    return parts[0] if isinstance(parts, tuple | list) and len(set(parts)) == 1 else value


Positive = Annotated[int, Field(gt=0)]
PerStack = Annotated[tuple[Positive, ...], BeforeValidator(_split)]
OneForAll = Annotated[Positive, BeforeValidator(_single)]
Probability = Annotated[float, Field(ge=0.0, lt=1.0)]


class Regularisation(Section):
    """What training drops at random; the defaults are the published values at their end (reference 3.17).

    dropout: hidden units of feed-forwards and of the front end. position_dropout: positional codes.
    head_dropout: hidden units of the transforms. layer_skip: share of clips that skip a layer, × √downsampling.
    convnext_skip: share of clips that skip the front end's residual block. feature_mask: share of clips whose
    upper channels (beyond encoder_unmasked_dim) are zeroed. Three shares only help raw weights and fall from these
    values to nothing: branch_skip (attention and convolution), feedforward_skip, position_skip (positional scores).
    """

    dropout: Probability = 0.1
    position_dropout: Probability = 0.15
    head_dropout: Probability = 0.1
    layer_skip: Probability = 0.035
    convnext_skip: Probability = 0.015
    feature_mask: Probability = 0.125
    branch_skip: Probability = 0.2
    feedforward_skip: Probability = 0.1
    position_skip: Probability = 0.5


STILL = Regularisation(**dict.fromkeys(Regularisation.model_fields, 0.0))
# Batches over which the stacks, one after the other, come to be used by most clips (reference 3.17).
WARMUP_BATCHES = 4000


@dataclass(frozen=True)
class StackConfig:
    """One stack's share of a `ModelConfig`; ``warmup`` is when its layers come into use, in batches."""

    downsampling_factor: int
    num_encoder_layers: int
    encoder_dim: int
    encoder_unmasked_dim: int
    num_heads: int
    feedforward_dim: int
    cnn_module_kernel: int
    query_head_dim: int
    pos_head_dim: int
    value_head_dim: int
    pos_dim: int
    regularisation: Regularisation
    layer_skip: float
    warmup: tuple[float, float]


class ModelConfig(Section):
    """Dual encoder: Zipformer2 speech tower, RoBERTa text tower, projections (reference 1.2).

    `text` is a RoBERTa configuration as in its own config.json. `frontend_channels` are the three convolutions'
    outputs. `padding` "neutral" gives every clip the embedding it has alone; "published" lets clips see the
    padding beside them, as the published code does (reference 1.4).
    """

    num_mel_bins: Annotated[int, Field(ge=8)] = 128
    downsampling_factor: PerStack
    num_encoder_layers: PerStack
    encoder_dim: PerStack
    encoder_unmasked_dim: PerStack
    num_heads: PerStack
    feedforward_dim: PerStack
    cnn_module_kernel: PerStack
    query_head_dim: PerStack = (32,)
    pos_head_dim: PerStack = (4,)
    value_head_dim: PerStack = (12,)
    pos_dim: OneForAll = 48
    output_downsampling_factor: OneForAll = 2
    embedding_dim: OneForAll = 512
    text: dict[str, Any]
    frontend_channels: Annotated[PerStack, Field(min_length=3, max_length=3)] = (8, 32, 128)
    regularisation: Regularisation = Regularisation()
    padding: Literal["neutral", "published"] = "neutral"

    @model_validator(mode="before")
    @classmethod
    def _broadcast(cls, values: Any) -> Any:
        """Repeat values given once for every stack."""
        if not isinstance(values, Mapping) or "downsampling_factor" not in values:
            return values
        stacks = len(_as_tuple(values["downsampling_factor"]))
        filled = dict(values)
        for name in PER_STACK:
            parts = _as_tuple(values.get(name, cls.model_fields[name].default))
            if len(parts) == 1:
                filled[name] = parts * stacks
        return filled

    @field_validator("text")
    @classmethod
    def _text_shape(cls, values: dict[str, Any]) -> dict[str, Any]:
        return text_shape(values)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        stacks = len(self.downsampling_factor)
        for name in PER_STACK:
            if len(getattr(self, name)) != stacks:
                raise ValueError(f"{name} has {len(getattr(self, name))} values for {stacks} stacks")
        if any(kernel % 2 == 0 for kernel in self.cnn_module_kernel):
            raise ValueError("cnn_module_kernel must be odd, so that a frame is in the middle of its kernel")
        if any(dim * 3 % 4 for dim in self.feedforward_dim + self.encoder_dim):
            raise ValueError("feedforward_dim and encoder_dim must be multiples of 4")
        return self

    @classmethod
    def from_published(cls, values: Mapping[str, Any]) -> Self:
        """Read a published config.json: other libraries' bookkeeping is dropped, anything else unknown refused.

        Files that do not describe the text tower mean roberta-base, which the published code names instead.
        """
        kept = {key: value for key, value in values.items() if key not in FOREIGN_KEYS}
        if kept.pop("causal", False):
            raise ValueError("causal encoders are not supported; CLSP and SPEAR are not causal")
        return cls.model_validate({"text": dict(ROBERTA_BASE)} | kept)

    @property
    def text_dim(self) -> int:
        """Channels of the text tower's pooled vector; RoBERTa's own default if not given."""
        return int(self.text.get("hidden_size", ROBERTA_BASE["hidden_size"]))

    @property
    def output_dim(self) -> int:
        """Channels of the speech tower's frames."""
        return max(self.encoder_dim)

    @property
    def stacks(self) -> tuple[StackConfig, ...]:
        """The settings of each stack."""
        return tuple(self._stack(index) for index in range(len(self.downsampling_factor)))

    def with_text(self, **changes: Any) -> Self:
        """The same model with other RoBERTa settings, say the vocabulary of a tokenizer made for it."""
        return self.model_copy(update={"text": text_shape({**self.text, **changes})})

    def _stack(self, index: int) -> StackConfig:
        factor, stacks = self.downsampling_factor[index], len(self.downsampling_factor)
        return StackConfig(
            downsampling_factor=factor,
            pos_dim=self.pos_dim,
            regularisation=self.regularisation,
            layer_skip=min(self.regularisation.layer_skip * factor**0.5, 1.0),
            warmup=(WARMUP_BATCHES * (index + 1) / (stacks + 1), WARMUP_BATCHES * (index + 2) / (stacks + 1)),
            **{name: getattr(self, name)[index] for name in PER_STACK},
        )


def _as_tuple(value: object) -> tuple[Any, ...]:
    parts = _split(value)
    return tuple(parts) if isinstance(parts, list | tuple) else (parts,)

"""The dual encoder: speech and its descriptions as unit vectors of one space.

Everything a version directory or a published checkpoint holds hangs below this module under the published
names (reference 1.3). It takes features and token ids; audio and strings are the loader's business.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from clsp.errors import ModelError
from clsp.model.config import ModelConfig
from clsp.model.feedforward import FeedForward
from clsp.model.frontend import MIN_FRAMES, Frontend
from clsp.model.heads import Transform, projection
from clsp.model.masking import padding_mask
from clsp.model.stack import Stack
from clsp.model.text import build_text_tower, checkpoint_text_layers
from clsp.model.zipformer import Zipformer

INITIAL_TEMPERATURE = 0.07
MAX_SCALE = 100.0


class DualEncoder(nn.Module):
    """Speech and text towers with their heads and the learned scale of their cosines (reference 1.2)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        dropout = config.regularisation.head_dropout
        self.encoder_embed = Frontend(config)
        self.encoder = Zipformer(config)
        self.audio_projection = projection(config.output_dim, config.embedding_dim)
        self.audio_transform = Transform(config.embedding_dim, dropout)
        self.text_encoder = build_text_tower(config.text)
        self.text_projection = projection(config.text_dim, config.embedding_dim)
        self.text_transform = Transform(config.embedding_dim, dropout)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / INITIAL_TEMPERATURE)))

    def forward(
        self, features: Tensor, frame_lengths: Tensor, input_ids: Tensor, attention_mask: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Speech embeddings, text embeddings and the scale of their cosines, for one training step."""
        speech = self.forward_speech(features, frame_lengths)
        return speech, self.forward_text(input_ids, attention_mask), self.logit_scale.exp()

    def forward_speech(self, features: Tensor, frame_lengths: Tensor) -> Tensor:
        """(N, T, F) log-mel features and (N,) frame counts to (N, D) float32 unit vectors.

        Raises ModelError for clips shorter than nine frames (0.09 s), of which nothing would be left.
        """
        frames, lengths = self.encode_frames(features, frame_lengths)
        pooled = mean_over_time(frames, lengths)
        return normalize(self.audio_transform(self.audio_projection(pooled)).float(), dim=-1)

    def encode_frames(self, features: Tensor, frame_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The speech tower's frames (N, T', C) before pooling, and their counts (N,)."""
        if not torch.compiler.is_compiling() and len(frame_lengths) and int(frame_lengths.min()) < MIN_FRAMES:
            raise ModelError(
                f"a clip of {int(frame_lengths.min())} frames is too short for the speech tower",
                hint=f"give at least {MIN_FRAMES} frames of 10 ms; segments of 1-30 s are what it was made for",
            )
        x, lengths = self.encoder_embed(features, frame_lengths.to(features.device))
        frames, lengths = self.encoder(x, lengths)
        return frames, lengths

    def forward_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(N, L) token ids and their mask (1 = token) to (N, D) float32 unit vectors."""
        pooled = self.text_encoder(input_ids=input_ids, attention_mask=attention_mask).pooler_output
        return normalize(self.text_transform(self.text_projection(pooled)).float(), dim=-1)

    def checkpoint_activations(self, *, on: bool) -> None:
        """While training, keep only what enters each layer and compute the rest again on the way back."""
        for module in self.encoder.modules():
            if isinstance(module, (FeedForward, Stack)):
                module.checkpoints = on
        self.encoder_embed.checkpoints = on
        checkpoint_text_layers(self.text_encoder, on=on)

    @torch.no_grad()
    def clamp_logit_scale(self) -> None:
        """Keep the scale within 1 … 100; call it after every step of the optimiser."""
        self.logit_scale.clamp_(0.0, math.log(MAX_SCALE))


def mean_over_time(frames: Tensor, lengths: Tensor) -> Tensor:
    """Mean of each clip's own frames, (N, T, C) to (N, C), summed in float32."""
    mask = padding_mask(lengths, frames.shape[1])[:, :, None]
    total = frames.masked_fill(mask, 0.0).sum(dim=1, dtype=torch.float32)
    return (total / lengths[:, None]).to(frames.dtype)
